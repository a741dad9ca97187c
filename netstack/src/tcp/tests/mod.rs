//! Tests of the whole machine, through `Stack`: scripted segments against one end (`rig`), and two ends with a lossy
//! wire between them (`pair`). Leaves have their tests in files named like them.

mod attacks;
mod closing;
mod commands;
mod flow;
mod hostile;
mod memory;
mod opening;
mod pair;
mod recovery;
mod rig;
mod scale;
mod sender;
mod simulation;
mod waiting;
mod window;
