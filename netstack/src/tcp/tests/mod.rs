//! Tests of the whole machine. Leaves have theirs in sibling files.

mod receive_placeholder {}
