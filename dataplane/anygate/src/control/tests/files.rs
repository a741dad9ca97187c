//! The socket as a file: mode, stale ones, live ones, nothing left behind.

use super::fake::{Fake, Scratch};
use crate::control::{Access, ControlConfig, ControlError, ControlServer};
use mgmt_api::StatusRequest;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

fn start(scratch: &Scratch) -> Result<ControlServer, ControlError> {
    ControlServer::start(ControlConfig::new(scratch.socket()), Arc::new(Fake::default()))
}

fn entries(scratch: &Scratch) -> usize {
    fs::read_dir(scratch.path()).unwrap().count()
}

#[test]
fn the_file_has_the_mode_and_group_that_were_asked_for() {
    let scratch = Scratch::new();
    let group = rustix::process::getegid().as_raw();
    let access = Access { mode: 0o620, group: Some(group) };
    let _server = scratch.serve_with(&Arc::new(Fake::default()), |config| config.access = access);
    let found = fs::symlink_metadata(scratch.socket()).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o620);
    assert_eq!(found.gid(), group);
}

#[test]
fn nothing_is_left_behind_also_not_a_directory_that_was_made() {
    let scratch = Scratch::new();
    let path = scratch.path().join("made/control.sock");
    let server = ControlServer::start(ControlConfig::new(&path), Arc::new(Fake::default())).unwrap();
    assert!(path.exists());
    server.shutdown();
    assert_eq!(entries(&scratch), 0);
}

#[test]
fn the_socket_of_a_dead_process_is_replaced() {
    let scratch = Scratch::new();
    drop(UnixListener::bind(scratch.socket()).unwrap());
    fs::write(scratch.path().join("control.sock.lock"), "12345\n").unwrap();
    let _server = start(&scratch).unwrap();
    scratch.client().call(&StatusRequest {}).unwrap();
}

#[test]
fn a_live_server_is_not_disturbed() {
    let scratch = Scratch::new();
    let _server = start(&scratch).unwrap();
    let error = start(&scratch).err().unwrap().to_string();
    assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
    assert!(error.contains("stop that one"), "{error}");
    scratch.client().call(&StatusRequest {}).unwrap();
}

#[test]
fn a_live_socket_of_another_program_is_not_taken() {
    let scratch = Scratch::new();
    let _other = UnixListener::bind(scratch.socket()).unwrap();
    let error = start(&scratch).err().unwrap().to_string();
    assert!(error.contains("in use by another"), "{error}");
}

#[test]
fn a_file_of_another_kind_is_not_removed() {
    let scratch = Scratch::new();
    fs::write(scratch.socket(), "precious").unwrap();
    let error = start(&scratch).err().unwrap().to_string();
    assert!(error.contains("is no socket"), "{error}");
    assert_eq!(fs::read_to_string(scratch.socket()).unwrap(), "precious");
}

#[test]
fn a_socket_that_somebody_put_in_our_place_is_not_removed() {
    let scratch = Scratch::new();
    let server = start(&scratch).unwrap();
    fs::remove_file(scratch.socket()).unwrap();
    let _other = UnixListener::bind(scratch.socket()).unwrap();
    server.shutdown();
    assert!(scratch.socket().exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let scratch = Scratch::new();
    let path = scratch.path().join("a/b/control.sock");
    let error = ControlServer::start(ControlConfig::new(path), Arc::new(Fake::default())).err().unwrap();
    assert!(error.to_string().starts_with("cannot make the directory"), "{error}");
}
