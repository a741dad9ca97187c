//! Controllers in virtual time, and what holds of each whatever it is told.

mod bottleneck;
mod paths;
mod property;
