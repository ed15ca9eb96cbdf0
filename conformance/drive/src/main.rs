//! Drives the published crate `simd-r-drive` from standard input: one command per line as a JSON
//! object, one answer per line, `{"ok": ...}` or `{"error": kind, "message": ...}`. One process
//! serves any number of drives, which stay open under their paths. Keys and payloads are hex.

mod bench;
mod extensions;

use serde_json::{json, Value};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryHandle};
use std::collections::HashMap;
use std::io::{BufRead, Cursor, Error, ErrorKind, Result, Write};
use std::path::Path;

/// Drives by path.
pub type Drives = HashMap<String, DataStore>;

/// A text field of a command.
pub fn text<'a>(command: &'a Value, name: &str) -> Result<&'a str> {
    command[name]
        .as_str()
        .ok_or_else(|| Error::new(ErrorKind::Other, format!("{name} is missing")))
}

/// A field of hex bytes.
pub fn bytes(command: &Value, name: &str) -> Result<Vec<u8>> {
    decode(text(command, name)?)
}

fn decode(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len() / 2)
        .map(|i| {
            u8::from_str_radix(&hex[2 * i..2 * i + 2], 16)
                .map_err(|error| Error::new(ErrorKind::Other, error.to_string()))
        })
        .collect()
}

/// Bytes as hex.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn describe(entry: &EntryHandle) -> Value {
    json!({
        "hash": format!("{:016x}", entry.key_hash()),
        "payload": encode(entry.as_slice()),
        "valid": entry.is_valid_checksum(),
        "start": entry.start_offset(),
        "end": entry.end_offset(),
        "prev": entry.metadata().prev_offset,
    })
}

fn many(command: &Value, name: &str) -> Result<Vec<Vec<u8>>> {
    let list = command[name].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|each| decode(each.as_str().unwrap_or("")))
        .collect()
}

fn main() {
    let mut drives = Drives::new();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let result = serde_json::from_str::<Value>(&line)
            .map_err(Error::from)
            .and_then(|command| answer(&mut drives, &command));
        let reply = match result {
            Ok(value) => json!({ "ok": value }),
            Err(error) => {
                json!({ "error": format!("{:?}", error.kind()), "message": error.to_string() })
            }
        };
        if writeln!(output, "{reply}").and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

fn answer(drives: &mut Drives, command: &Value) -> Result<Value> {
    let op = text(command, "op")?;
    if let Some(work) = op.strip_prefix("bench.") {
        return bench::run(work, command);
    }
    let path = text(command, "path")?;
    match op {
        "open" => {
            let drive = DataStore::open(Path::new(path))?;
            let len = drive.len()?;
            drives.insert(path.to_string(), drive);
            return Ok(json!(len));
        }
        "close" => return Ok(json!(drives.remove(path).is_some())),
        "compact" => {
            let drive = drives.get_mut(path).ok_or_else(closed)?;
            return drive.compact().map(|()| json!(null));
        }
        "copy" | "transfer" => {
            let from = drives.get(path).ok_or_else(closed)?;
            let to = drives.get(text(command, "to")?).ok_or_else(closed)?;
            let key = bytes(command, "key")?;
            let tail = if op == "copy" { from.copy(&key, to)? } else { from.transfer(&key, to)? };
            return Ok(json!(tail));
        }
        _ => (),
    }
    let drive = drives.get(path).ok_or_else(closed)?;
    match op {
        "write" => Ok(json!(drive.write(&bytes(command, "key")?, &bytes(command, "payload")?)?)),
        "stream" => {
            let mut source = Cursor::new(bytes(command, "payload")?);
            Ok(json!(drive.write_stream(&bytes(command, "key")?, &mut source)?))
        }
        "batchWrite" => {
            let (keys, payloads) = (many(command, "keys")?, many(command, "payloads")?);
            let pairs: Vec<(&[u8], &[u8])> = keys
                .iter()
                .zip(&payloads)
                .map(|(key, payload)| (key.as_slice(), payload.as_slice()))
                .collect();
            Ok(json!(drive.batch_write(&pairs)?))
        }
        "batchDelete" => {
            let keys = many(command, "keys")?;
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            Ok(json!(drive.batch_delete(&keys)?))
        }
        "rename" => Ok(json!(drive.rename(&bytes(command, "key")?, &bytes(command, "newKey")?)?)),
        "read" => Ok(drive
            .read(&bytes(command, "key")?)?
            .map_or(Value::Null, |entry| describe(&entry))),
        "entries" => Ok(drive.iter_entries().map(|entry| describe(&entry)).collect()),
        "len" => Ok(json!(drive.len()?)),
        _ => extensions::run(op, drive, command),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Other, "the drive is not open")
}
