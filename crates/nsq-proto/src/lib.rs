//! NSQ's TCP protocol: commands, frames, ids, names, errors; pure.
//!
//! Bytes from a client go through [`Decoder`], which yields borrowed [`Command`]s and, when a
//! client breaks a rule, the [`ProtocolError`] that nsqd answers. Answers and messages are written
//! with the functions of [`frame`]. Nothing here reads a clock, a socket or a file: the caller owns
//! the buffers and says in an [`Admission`] what its client may do at the moment.

mod batch;
mod command;
mod decoder;
mod error;
pub mod frame;
mod frame_decoder;
mod guid;
mod identify;
mod limits;
mod line;
pub mod magic;
mod name;
mod progress;
mod quote;
mod settings;
mod state;

pub use batch::Bodies;
pub use command::{Command, Verb};
pub use decoder::{Decoded, Decoder, Fatal};
pub use error::{ErrorCode, NotHeld, ProtocolError};
pub use frame_decoder::{DecodedFrame, Frame, FrameDecoder, FrameError, MessageFrame};
pub use guid::{Guid, MessageId, NodeId};
pub use identify::{IdentifyRequest, Topology};
pub use limits::Limits;
pub use line::MAX_LINE_LENGTH;
pub use name::{ChannelName, InvalidName, MAX_NAME_LENGTH, TopicName};
pub use quote::quote;
pub use settings::{ClientSettings, DeliverySettings, Features, IdentifyAnswer, IdentifyLimits};
pub use state::{Admission, ClientState};
