//! The benchmark: a load generator on our own stack, the scenarios, and the report.

#![forbid(unsafe_code)]

pub mod error;
pub mod fixture;
pub mod generate;
pub mod generator;
pub mod host;
pub mod instructions;
pub mod linux_peer;
pub mod over_sim;
pub mod ports;
pub mod run;
pub mod scale;
pub mod scenario;
