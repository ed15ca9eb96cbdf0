//! FastStore and its root: commands on stores that stay open between lines.

use crate::{misuse, number, text, Answer, Failure};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::path::Path;
use zippy_data::{FastStore, Layout, OpenMode, ZDSRoot};

/// Stores and roots by the name that the driver gave them.
#[derive(Default)]
pub struct Stores {
    open: HashMap<String, FastStore>,
    roots: HashMap<String, ZDSRoot>,
}

impl Stores {
    /// Carries out a command on a store or a root.
    pub fn run(&mut self, op: &str, command: &Value) -> Answer {
        match op {
            // Makes the folders of a root.
            "init" => {
                Layout::init_root(Path::new(text(command, "root")?))?;
                Ok(Value::Null)
            }
            // Opens a collection under a name; `mode` read or write, `batch` puts between flushes.
            "open" => {
                let mode = match command["mode"].as_str() {
                    Some("read") => OpenMode::Read,
                    _ => OpenMode::ReadWrite,
                };
                let batch = number(command, "batch", 1_000_000);
                let (root, collection) = (text(command, "root")?, text(command, "collection")?);
                let store = FastStore::open_with_mode(root, collection, batch, mode)?;
                let count = store.len();
                self.open.insert(text(command, "name")?.to_string(), store);
                Ok(json!(count))
            }
            // Drops a store, which flushes it and writes its index.
            "close" => {
                let name = text(command, "name")?;
                self.open
                    .remove(name)
                    .ok_or_else(|| misuse(format!("{name} is not open")))?;
                Ok(Value::Null)
            }
            // As if the process had died: what is buffered never reaches the file.
            "forget" => {
                let name = text(command, "name")?;
                let store = self.open.remove(name);
                std::mem::forget(store.ok_or_else(|| misuse(format!("{name} is not open")))?);
                Ok(Value::Null)
            }
            // Takes the writer's lock on a root, under a name.
            "lock" => {
                let root = ZDSRoot::open_rw(text(command, "root")?, 100)?;
                self.roots.insert(text(command, "name")?.to_string(), root);
                Ok(Value::Null)
            }
            // Lets go of the lock.
            "unlock" => {
                let name = text(command, "name")?;
                let root = self.roots.remove(name);
                root.ok_or_else(|| misuse(format!("{name} is not open")))?
                    .close();
                Ok(Value::Null)
            }
            _ => {
                let name = text(command, "name")?;
                let store = self.open.get_mut(name);
                on_store(
                    store.ok_or_else(|| misuse(format!("{name} is not open")))?,
                    op,
                    command,
                )
            }
        }
    }
}

fn on_store(store: &mut FastStore, op: &str, command: &Value) -> Answer {
    match op {
        // Stores `document` under `id`.
        "put" => store.put(text(command, "id")?, command["document"].clone())?,
        // Stores `line` as it is under `id`.
        "putRaw" => store.put_raw_line(text(command, "id")?, text(command, "line")?.as_bytes())?,
        // Stores many lines at once; `ids` names them in order.
        "writeBlob" => {
            let ids: Vec<String> = list(command, "ids")?;
            store.write_jsonl_blob(text(command, "jsonl")?.as_bytes(), &ids)?;
        }
        "get" => return Ok(store.get(text(command, "id")?)?),
        "delete" => store.delete(text(command, "id")?)?,
        "flush" => store.flush()?,
        "refresh" => store.refresh_mmap()?,
        "compact" => store.compact()?,
        "length" => return Ok(json!(store.len())),
        "ids" => return Ok(json!(store.doc_ids())),
        "scan" => return Ok(json!(store.scan()?)),
        "scanRaw" => {
            let lines = store.scan_raw()?;
            let texts: Vec<_> = lines
                .iter()
                .map(|line| String::from_utf8_lossy(line))
                .collect();
            return Ok(json!(texts));
        }
        // Every id with its document, or with null where the document cannot be read.
        "all" => {
            let documents = store.doc_ids().into_iter().map(|id| {
                let document = store.get(&id).unwrap_or(Value::Null);
                (id, document)
            });
            return Ok(Value::Object(documents.collect()));
        }
        _ => return Err(misuse(format!("no operation {op}"))),
    }
    Ok(Value::Null)
}

/// A list of texts in a command.
fn list(command: &Value, name: &str) -> Result<Vec<String>, Failure> {
    let values = command[name]
        .as_array()
        .ok_or_else(|| misuse(format!("{name} is missing")))?;
    Ok(values
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_string)
        .collect())
}
