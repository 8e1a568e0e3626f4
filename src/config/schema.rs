//! The JSON Schema of a config, made from the types that read it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::keys::OF_ALL_LAYERS;
use super::report::ExpectKeys;
use super::sections;
use crate::spec::ExperimentName;

/// The JSON Schema (draft 7) of a config: what editors complete and check.
#[must_use]
pub fn schema() -> Value {
    let generator = &mut generator(false);
    let experiments = ExperimentName::ALL.map(|experiment| of_experiment(experiment, generator));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A config of layerwise",
        "type": "object",
        "required": ["experiment"],
        "oneOf": experiments,
        "definitions": generator.take_definitions(true),
    })
}

fn of_experiment(experiment: ExperimentName, generator: &mut SchemaGenerator) -> Value {
    let mut models = sections(experiment, generator);
    let defaults = serde_json::to_value(sections::defaults(experiment)).unwrap_or_default();
    for (name, section) in &mut models {
        put_defaults(section, defaults.get(name));
    }
    let rest = ["run", "data", "report"];
    let of_models: Map<String, Value> = models
        .iter()
        .filter(|(name, _)| !rest.contains(&name.as_str()))
        .map(|(name, section)| (name.clone(), without_defaults(section.clone())))
        .collect();
    let mut grid = Map::new();
    for (key, items) in keys_of(&of_models) {
        grid.insert(
            key,
            json!({ "type": "array", "items": items, "minItems": 1 }),
        );
    }
    let of_any = json!({
        "description": "Lists for any keys of the model: every condition is trained with each combination.",
        "type": "object",
        "properties": grid,
        "additionalProperties": { "type": "array", "minItems": 1 },
    });
    let mut of_conditions = of_models;
    let mut own = of_any.clone();
    own["description"] =
        "Lists that this condition alone is crossed with, after those for all.".into();
    of_conditions.insert("grid".to_owned(), own);
    let mut properties = Map::new();
    let word = serde_json::to_value(experiment).unwrap_or_default();
    properties.insert("experiment".to_owned(), json!({ "const": word }));
    properties.extend(models);
    properties.insert(
        "conditions".to_owned(),
        json!({
            "description": "What is compared: each condition overrides keys of the sections for all.",
            "type": "object",
            "additionalProperties": { "type": "object", "properties": of_conditions, "additionalProperties": false },
        }),
    );
    properties.insert("grid".to_owned(), of_any);
    let promise = without_defaults(ExpectKeys::json_schema(generator).to_value());
    properties.insert(
        "expect".to_owned(),
        json!({ "description": "What the config promises.", "type": "array", "items": promise }),
    );
    json!({
        "title": word,
        "type": "object",
        "required": ["experiment"],
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Schemas inside of others are references, or stand there themselves.
fn generator(inline: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = inline);
    settings.into_generator()
}

/// The sections of an experiment, in the order of a config.
fn sections(experiment: ExperimentName, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut found = Map::new();
    for section in sections::of(experiment) {
        let mut schema = (section.schema)(generator).to_value();
        schema["description"] = section.says.into();
        if section.name == "pretraining" {
            add_layers(&mut schema);
        }
        found.insert(section.name.to_owned(), schema);
    }
    for (section, name, owners) in sections::LIMITED {
        let keys = found
            .get_mut(section)
            .and_then(|section| section["properties"].as_object_mut());
        if !owners.contains(&experiment) {
            keys.map(|keys| keys.remove(name));
        }
    }
    found
}

/// Adds what one layer may have of its own to the schema of the pretraining.
fn add_layers(pretraining: &mut Value) {
    let mut one = pretraining.clone();
    for name in OF_ALL_LAYERS {
        one["properties"]
            .as_object_mut()
            .map(|keys| keys.remove(name));
    }
    one["description"] = "One layer's own setting.".into();
    pretraining["properties"]["layer"] = json!({
        "description": "One layer's own setting, as in [pretraining.layer.3]; layers are counted from 1.",
        "type": "object",
        "patternProperties": { "^[1-9][0-9]*$": without_defaults(one) },
        "additionalProperties": false,
    });
}

/// Replaces the defaults of types by those of the experiment.
fn put_defaults(section: &mut Value, defaults: Option<&Value>) {
    let Some(Value::Object(properties)) = section.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        let default = defaults.and_then(|defaults| defaults.get(name));
        if property.get("properties").is_some() {
            put_defaults(property, default);
        }
        let Some(property) = property.as_object_mut() else {
            continue;
        };
        // Nothing may stand beside a reference.
        if let Some(reference) = property.remove("$ref") {
            property.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
        }
        property.remove("default");
        if let Some(default) = default.filter(|_| !property.contains_key("properties")) {
            property.insert("default".to_owned(), default.clone());
        }
    }
}

fn without_defaults(mut section: Value) -> Value {
    put_defaults(&mut section, None);
    section
}

/// Every key of some sections with its schema, and those of choices.
fn keys_of(sections: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, section) in sections {
        walk(name, section, &mut found);
    }
    found
}

fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties.iter().filter(|(name, _)| *name != "layer") {
            walk(&format!("{path}.{name}"), schema, found);
        }
        return;
    }
    found.push((path.to_owned(), schema.clone()));
    for form in ["oneOf", "anyOf"] {
        for choice in schema
            .get(form)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if choice.get("properties").is_some() {
                walk(path, choice, found);
            }
        }
    }
}

/// Every key that a config may hold, told for all conditions and layers.
pub(super) fn keys() -> Vec<String> {
    let generator = &mut generator(true);
    let mut keys = vec!["experiment".to_owned()];
    for experiment in ExperimentName::ALL {
        for (key, _) in keys_of(&sections(experiment, generator)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}
