//! `anygate serve`: from the file to a running data plane, and to its end.

use super::show;
use crate::backend::ControlBackend;
use crate::control::{Access, ControlConfig, ControlServer, resolve_group};
use crate::supervisor::Supervisor;
use config::Config;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn serve(file: &Path) -> ExitCode {
    let Some((config, snapshot)) = show::load(file) else { return ExitCode::FAILURE };
    if config.ports.is_empty() {
        eprintln!(
            "{}",
            config
                .error_at("ports", "there is no port to serve on")
                .help("add `ports: [{kind: af_xdp, interface: eth1}]`")
        );
        return ExitCode::FAILURE;
    }
    // Before the workers start, so that no signal finds the default handler.
    let signals = match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot handle signals: {error}")),
    };
    let control = match control_config(&config) {
        Ok(control) => control,
        Err(reason) => return failed(&reason),
    };
    let (supervisor, threads, notes) = match Supervisor::start(file, config, snapshot) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    for worker in supervisor.workers() {
        eprintln!("note: worker {}: {}", worker.number(), describe(worker));
    }
    let supervisor = Arc::new(supervisor);
    let control = match ControlServer::start(control, Arc::new(ControlBackend(Arc::clone(&supervisor)))) {
        Ok(control) => control,
        Err(error) => return failed(&error.to_string()),
    };
    let listen: Vec<String> = supervisor.listen().iter().map(ToString::to_string).collect();
    eprintln!("serving {} on {}; control socket {}", file.display(), listen.join(", "), control.path().display());
    let handle = signals.handle();
    let watcher = watch(signals, Arc::clone(&supervisor));
    threads.join();
    handle.close();
    if let Ok(watcher) = watcher {
        let _ = watcher.join();
    }
    control.shutdown();
    eprintln!("ended");
    ExitCode::SUCCESS
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::FAILURE
}

fn describe(worker: &crate::worker::WorkerHandle) -> String {
    let port = worker.port();
    let copy = if port.zero_copy { "zero-copy" } else { "copy" };
    let core = worker.core().map_or_else(|| "not pinned".to_owned(), |core| format!("core {core}"));
    match port.kind {
        "af_xdp" => format!("{} queue {}, {} mode, {copy}, {core}", port.interface, port.queue, port.mode),
        _ => format!("{} queue {}, {core}", port.interface, port.queue),
    }
}

fn control_config(config: &Config) -> Result<ControlConfig, String> {
    let control = &config.server.control;
    let group = match &control.group {
        Some(group) => {
            let found = resolve_group(group);
            Some(found.map_err(|error| config.error_at("server.control.group", error.to_string()).to_string())?)
        }
        None => None,
    };
    Ok(ControlConfig { access: Access { mode: control.mode.0, group }, ..ControlConfig::new(&control.socket.0) })
}

/// SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads.
fn watch(mut signals: Signals, supervisor: Arc<Supervisor>) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => match supervisor.reload() {
                    Ok(reloaded) => {
                        reloaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
                        eprintln!("reloaded: generation {}, {} routes", reloaded.generation, reloaded.routes);
                    }
                    Err(errors) => {
                        errors.iter().for_each(|error| eprintln!("{error}"));
                        eprintln!("reload refused: nothing was changed");
                    }
                },
                _ if supervisor.is_draining() => {
                    eprintln!("ending at once");
                    supervisor.drain(std::time::Duration::ZERO);
                }
                _ => {
                    let deadline = supervisor.drain(supervisor.drain_deadline());
                    eprintln!("draining for at most {deadline:?}; once more to end at once");
                }
            }
        }
    })
}
