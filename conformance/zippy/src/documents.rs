//! The storage with a file per document, schemas and archives. Each command opens what it needs and
//! closes it again.

use crate::{misuse, number, text, Answer};
use serde_json::{json, Value};
use std::path::Path;
use zippy_data::writer::SyncWriter;
use zippy_data::{container, BufferedWriter, Codec, Engine, Layout, Predicate, SchemaRegistry};
use zippy_data::{IndexRegistry, WriteConfig};

/// Carries out a command `documents.NAME`.
pub fn run(op: &str, command: &Value) -> Answer {
    match op {
        // Stores `documents`, [[id, document], ...], one after the other.
        "put" => {
            let mut writer = SyncWriter::new(text(command, "root")?, text(command, "collection")?)?;
            for (id, document) in pairs(command)? {
                writer.put(id, document)?;
            }
        }
        // The same through the buffered writer.
        "putBuffered" => {
            let (root, collection) = (text(command, "root")?, text(command, "collection")?);
            let mut writer = BufferedWriter::new(root, collection, WriteConfig::default())?;
            for (id, document) in pairs(command)? {
                writer.put(id, document.clone())?;
            }
            writer.flush()?;
        }
        "delete" => {
            let mut writer = SyncWriter::new(text(command, "root")?, text(command, "collection")?)?;
            writer.delete(text(command, "id")?)?;
        }
        // What an engine shows: ids in order, documents, statistics; `field` and `value` select.
        "read" => {
            let engine = Engine::open(text(command, "root")?, text(command, "collection")?)?;
            let predicate = command["field"]
                .as_str()
                .map(|f| Predicate::eq(f, command["value"].clone()));
            let mut scanner = engine.scan(predicate.as_ref(), None)?;
            let mut documents = Vec::new();
            while let Some(document) = scanner.next_doc()? {
                documents.push(document);
            }
            let stats = engine.stats();
            return Ok(json!({
                "ids": engine.doc_ids(),
                "documents": documents,
                "schemas": stats.schema_count,
                "bytes": stats.total_size,
                "strict": stats.strict_mode,
            }));
        }
        "get" => {
            let engine = Engine::open(text(command, "root")?, text(command, "collection")?)?;
            return Ok(engine.get_document(text(command, "id")?)?);
        }
        "getAt" => {
            let engine = Engine::open(text(command, "root")?, text(command, "collection")?)?;
            return Ok(engine.get_document_at(number(command, "ordinal", 0))?);
        }
        // The registry made anew from the folder; `save` writes it.
        "rebuild" => {
            let root = Path::new(text(command, "root")?);
            let collection = text(command, "collection")?;
            let registry = IndexRegistry::rebuild(root, collection)?;
            if command["save"] == json!(true) {
                registry.save(root, collection)?;
            }
            return Ok(json!(registry.all_doc_ids()));
        }
        "initCollection" => {
            Layout::init_collection(
                Path::new(text(command, "root")?),
                text(command, "collection")?,
            )?;
        }
        "validate" => {
            let root = Path::new(text(command, "root")?);
            Layout::validate(root)?;
            Layout::validate_collection(root, text(command, "collection")?)?;
        }
        "schema" => {
            let document = &command["document"];
            let schema = SchemaRegistry::extract_schema(document);
            return Ok(json!({
                "id": SchemaRegistry::compute_schema_id(document),
                "text": Codec::canonicalize(&schema),
                "schema": schema,
            }));
        }
        "schemas" => {
            let registry = SchemaRegistry::load(
                Path::new(text(command, "root")?),
                text(command, "collection")?,
            )?;
            let schemas: Vec<_> = registry
                .schemas()
                .map(|each| json!({ "id": each.schema_id, "schema": each.schema, "count": each.count }))
                .collect();
            return Ok(json!(schemas));
        }
        "pack" => container::pack(
            Path::new(text(command, "from")?),
            Path::new(text(command, "to")?),
        )?,
        "unpack" => container::unpack(
            Path::new(text(command, "from")?),
            Path::new(text(command, "to")?),
        )?,
        _ => return Err(misuse(format!("no operation documents.{op}"))),
    }
    Ok(Value::Null)
}

fn pairs(command: &Value) -> Result<Vec<(&str, &Value)>, crate::Failure> {
    let list = command["documents"].as_array();
    let list = list.ok_or_else(|| misuse("documents are missing".to_string()))?;
    Ok(list
        .iter()
        .filter_map(|pair| Some((pair[0].as_str()?, &pair[1])))
        .collect())
}
