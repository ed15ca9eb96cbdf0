//! The works of bench/suites/drive.mjs, each timed here: seconds, peak memory and a tally.

use crate::text;
use serde_json::{json, Value};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::DataStore;
use std::hint::black_box;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::Instant;

fn number(command: &Value, name: &str) -> usize {
    command[name].as_u64().unwrap_or(0) as usize
}

fn key(i: usize) -> [u8; 16] {
    let text = format!("key-{i:012}");
    text.as_bytes().try_into().expect("16 bytes")
}

fn payload(i: usize, size: usize) -> Vec<u8> {
    let mut bytes = vec![(i % 251) as u8 + 1; size];
    bytes[..4].copy_from_slice(&(i as u32).to_le_bytes());
    bytes
}

/// The same order of reads as in bench/suites/drive.mjs.
fn shuffled(count: usize) -> Vec<usize> {
    let mut state: u32 = 7;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state as usize >> 2) % count
        })
        .collect()
}

pub fn run(work: &str, command: &Value) -> Result<Value> {
    let path = Path::new(text(command, "path")?);
    let (count, size) = (number(command, "count"), number(command, "size"));
    let mut tally: u64 = 0;
    let start;
    match work {
        "write" => {
            let payloads: Vec<_> = (0..count).map(|i| payload(i, size)).collect();
            start = Instant::now();
            let drive = DataStore::open(path)?;
            for (i, payload) in payloads.iter().enumerate() {
                tally = drive.write(&key(i), payload)?;
            }
        }
        "batchWrite" => {
            let payloads: Vec<_> = (0..count).map(|i| payload(i, size)).collect();
            let keys: Vec<_> = (0..count).map(key).collect();
            start = Instant::now();
            let drive = DataStore::open(path)?;
            for first in (0..count).step_by(1000) {
                let last = (first + 1000).min(count);
                let batch: Vec<(&[u8], &[u8])> =
                    (first..last).map(|i| (&keys[i][..], &payloads[i][..])).collect();
                tally = drive.batch_write(&batch)?;
            }
        }
        "open" => {
            start = Instant::now();
            tally = DataStore::open(path)?.len()? as u64;
        }
        "read" | "readChecked" => {
            let drive = DataStore::open(path)?;
            let keys: Vec<_> = shuffled(count).into_iter().map(key).collect();
            start = Instant::now();
            for key in &keys {
                let entry = drive.read(key)?.expect("an entry");
                tally += entry.as_slice()[0] as u64;
                if work == "readChecked" {
                    tally += entry.is_valid_checksum() as u64;
                }
            }
        }
        "batchRead" => {
            let drive = DataStore::open(path)?;
            let keys: Vec<_> = shuffled(count).into_iter().map(key).collect();
            start = Instant::now();
            for some in keys.chunks(1000) {
                let some: Vec<&[u8]> = some.iter().map(|key| &key[..]).collect();
                for entry in drive.batch_read(&some)? {
                    tally += entry.expect("an entry").as_slice()[0] as u64;
                }
            }
        }
        "iterate" => {
            let drive = DataStore::open(path)?;
            start = Instant::now();
            for entry in drive.iter_entries() {
                tally += entry.as_slice()[0] as u64;
            }
        }
        _ => return Err(Error::new(ErrorKind::Other, format!("no work {work}"))),
    }
    let seconds = start.elapsed().as_secs_f64();
    black_box(tally);
    Ok(json!({ "seconds": seconds, "tally": tally, "peakBytes": peak_bytes() }))
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
}
