//! The daily commands as a user meets them: real processes, a real nsqd, pipes.

mod completions;
mod manual;
mod publish;
mod subscribe;
mod support;
mod terminal;
mod top;
