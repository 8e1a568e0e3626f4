//! What a training needs to go on where it was: numbers and facts by name, on the host.
//!
//! A state is made and read back by whoever trains; how it gets into a file and out of it is not known here.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::{parameters, with_parameters};

/// Numbers and facts by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Arrays of numbers, by name.
    pub numbers: BTreeMap<String, Vec<f32>>,
    /// All else, as JSON, by name.
    pub facts: Map<String, Value>,
}

impl State {
    /// Puts `values` under `name`, in place of what was there.
    pub fn put_numbers(&mut self, name: &str, values: Vec<f32>) {
        self.numbers.insert(name.to_owned(), values);
    }

    /// # Panics
    ///
    /// Panics if `fact` cannot be JSON, as a map whose keys are no texts.
    pub fn put(&mut self, name: &str, fact: &impl Serialize) {
        let value = serde_json::to_value(fact).expect("facts are plain data");
        self.facts.insert(name.to_owned(), value);
    }

    /// Puts everything of `part` under `name`.
    pub fn put_part(&mut self, name: &str, part: State) {
        let numbers = part.numbers.into_iter();
        self.numbers
            .extend(numbers.map(|(key, values)| (format!("{name}/{key}"), values)));
        let facts = part.facts.into_iter();
        self.facts
            .extend(facts.map(|(key, value)| (format!("{name}/{key}"), value)));
    }

    /// The numbers under `name`, which are then gone from the state; `None` if there are none.
    pub fn take_numbers(&mut self, name: &str) -> Option<Vec<f32>> {
        self.numbers.remove(name)
    }

    /// All numbers whose names begin with `prefix`, by the rest of their names.
    pub fn take_all_numbers(&mut self, prefix: &str) -> Vec<(String, Vec<f32>)> {
        let names: Vec<String> = self
            .numbers
            .range(prefix.to_owned()..)
            .map(|(name, _)| name.clone())
            .take_while(|name| name.starts_with(prefix))
            .collect();
        names
            .into_iter()
            .filter_map(|name| {
                let values = self.numbers.remove(&name)?;
                Some((name[prefix.len()..].to_owned(), values))
            })
            .collect()
    }

    /// A fact, if it is there and of this form.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        serde_json::from_value(self.facts.remove(name)?).ok()
    }

    /// What [`put_part`](Self::put_part) put under `name`; empty if nothing is there.
    #[must_use]
    pub fn take_part(&mut self, name: &str) -> State {
        let prefix = format!("{name}/");
        let numbers = self.take_all_numbers(&prefix).into_iter().collect();
        let names: Vec<String> = self
            .facts
            .keys()
            .filter(|key| key.starts_with(&prefix))
            .cloned()
            .collect();
        let facts = names
            .into_iter()
            .filter_map(|key| {
                let value = self.facts.remove(&key)?;
                Some((key[prefix.len()..].to_owned(), value))
            })
            .collect();
        State { numbers, facts }
    }

    /// Whether there are neither numbers nor facts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.facts.is_empty()
    }
}

/// The numbers of every parameter of a model, by its path.
pub fn parameters_state(model: &impl Module) -> State {
    let mut state = State::default();
    for (path, _, values) in parameters(model) {
        state.put_numbers(&path, values);
    }
    state
}

/// The same model with the numbers that [`parameters_state`] gave, and the shapes of its parameters; `None` if they do not
/// fit.
pub fn restored_parameters<M: Module>(model: M, mut state: State) -> Option<(M, Vec<[usize; 3]>)> {
    let mut shapes = Vec::new();
    let model = with_parameters(model, |path, shape| {
        shapes.push(shape);
        let values = state.take_numbers(path);
        values
            .filter(|values| values.len() == shape.iter().product::<usize>())
            .ok_or(())
    });
    let model = model.ok().filter(|_| state.is_empty())?;
    Some((model, shapes))
}

/// A tensor from numbers; `None` if they are not as many as `shape` says.
pub fn tensor(values: Option<Vec<f32>>, shape: [usize; 3], device: &Device) -> Option<Tensor<3>> {
    let values = values.filter(|values| values.len() == shape.iter().product::<usize>())?;
    Some(Tensor::from_data(TensorData::new(values, shape), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_comes_back_as_it_was() {
        let mut part = State::default();
        part.put_numbers("0.adam.moment", vec![1.0, -0.0]);
        part.put("epochs", &3_usize);
        let mut whole = State::default();
        whole.put("epochs", &7_usize);
        whole.put_part("a", part.clone());
        whole.put_part("ab", State::default());
        assert_eq!(whole.take_part("a"), part);
        assert_eq!(whole.take_part("a"), State::default());
        assert_eq!(whole.take::<usize>("epochs"), Some(7));
        assert!(whole.is_empty());
    }

    #[test]
    fn a_fact_of_another_form_is_none() {
        let mut state = State::default();
        state.put("epochs", &"three");
        assert_eq!(state.take::<usize>("epochs"), None);
    }
}
