//! Drives the published crate `zippy_data` from standard input: one command per line as a JSON
//! object, one answer per line, `{"ok": ...}` or `{"error": kind, "message": ...}`. One process
//! serves any number of stores, which stay open under the names that the commands give them.
//! What each command means stands beside its name in `answer`.

mod bench;
mod documents;
mod stores;

use serde_json::{json, Value};
use std::io::{BufRead, Write};

/// Why a command was not carried out.
pub struct Failure {
    kind: String,
    message: String,
}

/// What a command answers.
pub type Answer = Result<Value, Failure>;

impl From<zippy_data::Error> for Failure {
    fn from(error: zippy_data::Error) -> Self {
        let debug = format!("{error:?}");
        let kind = debug
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or("Unknown");
        Failure {
            kind: kind.to_string(),
            message: error.to_string(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure {
            kind: "Io".to_string(),
            message: error.to_string(),
        }
    }
}

/// A command that makes no sense.
pub fn misuse(message: String) -> Failure {
    Failure {
        kind: "Misuse".to_string(),
        message,
    }
}

/// A text field of a command.
pub fn text<'a>(command: &'a Value, name: &str) -> Result<&'a str, Failure> {
    command[name]
        .as_str()
        .ok_or_else(|| misuse(format!("{name} is missing")))
}

/// A number field of a command, or what stands in for it.
pub fn number(command: &Value, name: &str, otherwise: usize) -> usize {
    command[name]
        .as_u64()
        .map_or(otherwise, |value| value as usize)
}

fn main() {
    let input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut stores = stores::Stores::default();
    for line in input.lines() {
        let Ok(line) = line else { return };
        let result = match serde_json::from_str::<Value>(&line) {
            Ok(command) => answer(&mut stores, &command),
            Err(error) => Err(misuse(error.to_string())),
        };
        let reply = match result {
            Ok(value) => json!({ "ok": value }),
            Err(Failure { kind, message }) => json!({ "error": kind, "message": message }),
        };
        if writeln!(output, "{reply}")
            .and_then(|()| output.flush())
            .is_err()
        {
            return;
        }
    }
}

fn answer(stores: &mut stores::Stores, command: &Value) -> Answer {
    let name = text(command, "op")?;
    match name.split_once('.') {
        Some(("bench", work)) => bench::run(work, command),
        Some(("documents", op)) => documents::run(op, command),
        _ => stores.run(name, command),
    }
}
