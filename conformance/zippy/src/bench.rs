//! The crate's side of the benchmarks: a work on the common documents, timed here, with the
//! checksum that the other side takes over its own result.

use crate::{misuse, number, text, Answer, Failure};
use serde_json::{json, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;
use zippy_data::FastStore;

const COLLECTION: &str = "docs";

/// Carries out `bench.NAME`: answers seconds, a tally of the result, and the peak of memory.
pub fn run(work: &str, command: &Value) -> Answer {
    let root = text(command, "root")?;
    match work {
        // Parses the first `limit` lines of `file` and puts them; flushes every `every` documents, or
        // at the end.
        "put" => {
            let every = number(command, "every", usize::MAX);
            let limit = number(command, "limit", usize::MAX);
            let start = Instant::now();
            let count = put_lines(root, text(command, "file")?, every, limit)?;
            Ok(report(start.elapsed().as_secs_f64(), count.to_string()))
        }
        // All documents as values, and their release, which a caller has to wait for too.
        "scan" => {
            let store = open(root)?;
            let start = Instant::now();
            let documents = store.scan()?;
            let mut tally = Tally::default();
            documents.iter().for_each(|document| tally.add(document));
            drop(documents);
            Ok(report(start.elapsed().as_secs_f64(), tally.text()))
        }
        // The documents of `ids`, in that order.
        "get" => {
            let ids = command["ids"]
                .as_array()
                .ok_or_else(|| misuse("no ids".to_string()))?;
            let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
            let store = open(root)?;
            let start = Instant::now();
            let mut tally = Tally::default();
            for id in ids {
                tally.add(&store.get(id)?);
            }
            Ok(report(start.elapsed().as_secs_f64(), tally.text()))
        }
        // From nothing to the first document; without index.bin this is a rebuild.
        "open" => {
            let start = Instant::now();
            let store = open(root)?;
            let mut tally = Tally::default();
            tally.add(&store.get(text(command, "id")?)?);
            let seconds = start.elapsed().as_secs_f64();
            // Dropping it would write an index.bin, and the next run shall find what this one found.
            std::mem::forget(store);
            Ok(report(seconds, tally.text()))
        }
        _ => Err(misuse(format!("no work bench.{work}"))),
    }
}

fn report(seconds: f64, tally: String) -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    json!({ "seconds": seconds, "tally": tally, "peakBytes": kib.map(|kib| kib * 1024) })
}

fn open(root: &str) -> Result<FastStore, Failure> {
    Ok(FastStore::open(root, COLLECTION, usize::MAX)?)
}

fn put_lines(root: &str, file: &str, every: usize, limit: usize) -> Result<usize, Failure> {
    let mut store = FastStore::open(root, COLLECTION, every)?;
    let mut input = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut line = Vec::new();
    let mut count = 0;
    while count < limit && input.read_until(b'\n', &mut line)? > 0 {
        let document: Value = serde_json::from_slice(&line).map_err(|e| misuse(e.to_string()))?;
        let id = document["_id"].as_str().unwrap_or("").to_string();
        store.put(id, document)?;
        line.clear();
        count += 1;
    }
    store.flush()?;
    Ok(count)
}

/// Touches the same fields as the other contestants do.
#[derive(Default)]
struct Tally {
    count: usize,
    sum: f64,
}

impl Tally {
    fn add(&mut self, document: &Value) {
        let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
        self.count += 1;
        self.sum += document["age"].as_f64().unwrap_or(0.0)
            + document["score"].as_f64().unwrap_or(0.0)
            + length(&document["name"]) as f64
            + document["tags"].as_array().map_or(0, Vec::len) as f64
            + length(&document["metadata"]["source"]) as f64;
    }

    fn text(&self) -> String {
        format!("{}:{:.0}", self.count, self.sum)
    }
}
