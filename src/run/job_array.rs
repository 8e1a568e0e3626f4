//! A job script for Slurm: a run in parts, one for each job of an array.

use std::borrow::Cow;
use std::path::{self, Path, PathBuf};

use super::parts::tasks_of_all;
use super::{Failure, estimate, prepare};
use crate::backend::Kind;
use crate::config::Config;
use crate::experiment;
use crate::machine::readable;
use crate::results::Member;
use crate::words::{counted, harmless, in_shell, seconds};

/// How many parts there are where nobody says so, if there are as many models.
const PARTS: usize = 16;
/// What is asked for beyond the estimate: other machines are slower, and a job that comes to its limit is ended.
const TIMES_AS_LONG: f64 = 1.5;
const MINUTES_MORE: f64 = 5.0;
const TIMES_AS_MUCH: f64 = 1.25;
/// Bytes of memory that any job asks for at least.
const LEAST_MEMORY: u64 = 256 << 20;

/// What a job array is to be like.
#[derive(Debug, Clone)]
pub struct JobArray {
    /// The program that its jobs start.
    pub program: PathBuf,
    /// The config of the run.
    pub config: PathBuf,
    /// Where the run goes; `runs/NAME` where nothing is said.
    pub out: Option<PathBuf>,
    /// How many jobs; 16, or as many as there are models.
    pub parts: Option<usize>,
    /// Threads of each job.
    pub threads: usize,
    /// What else the jobs give to the program, each as one word: `--set`, `training.epochs=3`.
    pub more: Vec<String>,
}

/// The script, with time and memory asked for as the largest part is estimated on this machine.
///
/// # Errors
///
/// Returns [`Failure`] if the plan does not fit its data or this machine, or there are fewer models than parts.
pub fn job_array(config: &Config, array: &JobArray) -> Result<String, Failure> {
    let paths = [
        Some(&array.program),
        Some(&array.config),
        array.out.as_ref(),
    ];
    let paths = paths.into_iter().flatten();
    let mut words = paths
        .map(|path| path.to_string_lossy().into_owned())
        .chain(array.more.iter().cloned());
    // In a comment of the script, a new line would be the end of it.
    if words.any(|word| word.contains(char::is_control)) {
        return Err(Failure::Request(
            "a path or an override holds a control character, which cannot stand in a script\n  hint: rename the file, or write the override without line breaks".to_owned(),
        ));
    }
    let prepared = prepare(config, None, array.threads)?;
    let (plan, tasks) = (&config.plan, &prepared.tasks);
    let parts = array.parts.unwrap_or(PARTS.min(tasks.len()));
    let of_parts = tasks_of_all(&prepared.work_of_all, parts)?;
    let kind = prepared.backend.kind;
    let estimate = (kind == Kind::Cpu).then(|| estimate(plan, &prepared, array.threads));
    let longest = estimate.as_ref().map(|estimate| {
        let of_part = |part: &Vec<usize>| estimate.training(|task| part.contains(&task));
        of_parts.iter().map(of_part).fold(0.0, f64::max) + estimate.loading
    });
    let members = |part: &Vec<usize>| -> Vec<Member> {
        let tasks = tasks.iter().filter(|task| part.contains(&task.number));
        tasks.flat_map(|task| task.members.clone()).collect()
    };
    let need = of_parts.iter().map(|part| {
        let need = experiment::memory(plan, &members(part), &prepared.data, kind, array.threads);
        need.bytes()
    });
    let need = need.max().unwrap_or(0);
    let absolute = |path: &Path| in_shell(&path::absolute(path).unwrap_or(path.to_owned()));
    let default = Path::new("runs").join(&config.name);
    let (program, file) = (absolute(&array.program), absolute(&array.config));
    let out = absolute(array.out.as_deref().unwrap_or(&default));
    let more = array.more.iter().map(|word| in_shell_word(word));
    let more: String = more.flat_map(|word| [" ".to_owned(), word]).collect();
    let (name, threads) = (harmless(&config.name), array.threads);
    let told = match longest {
        Some(longest) => format!(
            "the longest about {} on the machine that wrote this",
            seconds(longest)
        ),
        None => "for how long is not estimated on a GPU".to_owned(),
    };
    let time = longest.map_or(24.0 * 60.0, |longest| {
        (longest * TIMES_AS_LONG / 60.0 + MINUTES_MORE).ceil()
    });
    let ending = estimate.as_ref().map_or(60.0, |of| {
        ((of.loading + of.drawing) * TIMES_AS_LONG / 60.0 + MINUTES_MORE).ceil()
    });
    let (memory, memory_to_end) = (asked(need), asked(prepared.need.bytes()));
    let [gpu, gpu_to_end] = match kind {
        Kind::Cpu => ["", ""],
        Kind::Gpu | Kind::SoftwareGpu => ["#SBATCH --gpus=1\n", " --gpus=1"],
    };
    Ok(format!(
        "#!/bin/sh
# {name}: {models} in {parts}, {told};
# about {bytes} of memory each, {disk} of disk together.
#
# Begin:        id=$(sbatch --parsable FILE)
# Then draw:    sbatch --dependency=afterany:$id --time={ending:.0} --mem={memory_to_end}M --cpus-per-task={threads}{gpu_to_end} --chdir={here} --wrap {ending_command}
# How far:      {program} status {out}
# If a node is lost, Slurm starts its part again, which continues from its checkpoint. If a part runs out of time, submit FILE again.
#
# Without Slurm, with GNU parallel, or in a plain shell:
#   seq {count} | parallel -q -j 4 {program} {file} --out {out} --part {{}}/{count} --continue --jobs {threads} --quiet{more}
#   for part in $(seq {count}); do {program} {file} --out {out} --part $part/{count} --continue --quiet{more}; done
#   {program} resume {out}
#
#SBATCH --job-name={name}
#SBATCH --array=1-{count}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem={memory}M
#SBATCH --time={time:.0}
#SBATCH --requeue
#SBATCH --chdir={here}
{gpu}
exec {program} {file} --out {out} --part \"$SLURM_ARRAY_TASK_ID/{count}\" --continue --jobs {threads} --plain{more}
",
        here = absolute(Path::new(".")),
        models = counted(plan.conditions.len() * plan.run.seeds.len(), "model"),
        parts = counted(parts, "part"),
        count = parts,
        bytes = readable(need),
        disk = readable(prepared.disk.bytes()),
        ending_command = in_shell_word(&format!("{program} resume {out} --jobs {threads} --plain")),
    ))
}

/// In mebibytes, as Slurm counts them.
fn asked(bytes: u64) -> u64 {
    let bytes = (bytes as f64 * TIMES_AS_MUCH) as u64;
    bytes.max(LEAST_MEMORY).div_ceil(1 << 20)
}

/// A word that a shell takes as it is.
fn in_shell_word(word: &str) -> String {
    // What cannot be quoted was refused.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned)
}
