//! The commands of the extensions crate.

use crate::{bytes, encode, text};
use serde_json::{json, Value};
use simd_r_drive::utils::{format_bytes, NamespaceHasher};
use simd_r_drive::DataStore;
use simd_r_drive_extensions::{StorageCacheExt, StorageFileImportExt, StorageOptionExt};
use std::io::{Error, ErrorKind, Result};

pub fn run(op: &str, drive: &DataStore, command: &Value) -> Result<Value> {
    match op {
        "namespace" => {
            let hasher = NamespaceHasher::new(&bytes(command, "namespace")?);
            Ok(json!(encode(&hasher.namespace(&bytes(command, "key")?))))
        }
        "formatBytes" => Ok(json!(format_bytes(command["bytes"].as_u64().unwrap_or(0)))),
        "writeNone" => Ok(json!(drive.write_option::<u8>(&bytes(command, "key")?, None)?)),
        "writeOption" => {
            let value = command["value"].as_u64().unwrap_or(0) as u8;
            Ok(json!(drive.write_option(&bytes(command, "key")?, Some(&value))?))
        }
        "readOption" => Ok(json!(drive.read_option::<u8>(&bytes(command, "key")?)?)),
        "writeTtl" => {
            let value = command["value"].as_u64().unwrap_or(0) as u8;
            let seconds = command["seconds"].as_u64().unwrap_or(0);
            Ok(json!(drive.write_with_ttl(&bytes(command, "key")?, &value, seconds)?))
        }
        "readTtl" => Ok(json!(drive.read_with_ttl::<u8>(&bytes(command, "key")?)?)),
        "import" => {
            let namespace = command["namespace"].as_str().map(str::as_bytes);
            let files = drive.import_dir_recursively(text(command, "folder")?, namespace)?;
            Ok(files.iter().map(|(key, _)| json!(encode(key))).collect())
        }
        _ => Err(Error::new(ErrorKind::Other, format!("no command {op}"))),
    }
}
