//! `Content`: what message bodies are made of, which matters as soon as they are compressed.

use clap::ValueEnum;
use serde::Serialize;

/// What message bodies are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// a to z again and again, the same in every message
    #[default]
    Alphabet,
    /// English words, other ones in each message: compresses as logs and events do
    Text,
    /// Random bytes: compresses not at all
    Random,
}

const WORDS: &str = "the of and to in a is that for it as was with be by on not he I this are or \
    his from at which but have an had they you were their one all we can her has there been if \
    more when will would who so no order customer payment invoice status created updated deleted \
    shipment address country city street number amount currency total discount item quantity \
    price product category event session user visit page click search result error warning \
    timeout request response server client version platform device browser language region zone";

/// An endless source of bodies, the same one for the same seed.
pub(crate) struct ContentSource {
    content: Content,
    /// State of the generator (SplitMix64): content is repeatable, and needs no good randomness.
    state: u64,
    words: Vec<&'static str>,
}

impl ContentSource {
    /// Starts a source; other seeds give other text and other random bytes.
    pub(crate) fn new(content: Content, seed: u64) -> Self {
        Self { content, state: seed << 32, words: WORDS.split_whitespace().collect() }
    }

    /// Appends a body of `length` bytes.
    pub(crate) fn append_body(&mut self, bytes: &mut Vec<u8>, length: usize) {
        let end = bytes.len() + length;
        match self.content {
            Content::Alphabet => bytes.extend((b'a'..=b'z').cycle().take(length)),
            Content::Text => {
                while bytes.len() < end {
                    let choice = self.next_number() % self.words.len() as u64;
                    bytes.extend_from_slice(self.words[choice as usize].as_bytes());
                    bytes.push(b' ');
                }
            }
            Content::Random => {
                while bytes.len() < end {
                    bytes.extend_from_slice(&self.next_number().to_le_bytes());
                }
            }
        }
        bytes.truncate(end);
    }

    fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packer::{Compression, Packer};

    #[test]
    fn content_compresses_as_its_name_says() {
        // Bounds in percent of the size, for a batch of different bodies of 200 bytes.
        for (content, range) in
            [(Content::Alphabet, 0..5), (Content::Text, 25..60), (Content::Random, 100..102)]
        {
            let mut source = ContentSource::new(content, 1);
            let mut bodies = Vec::new();
            (0..200).for_each(|_| source.append_body(&mut bodies, 200));
            assert_eq!(bodies.len(), 40_000);
            for compression in [Compression::Snappy, Compression::Deflate(6)] {
                let mut packed = Vec::new();
                Packer::new(compression).pack(&bodies, &mut packed);
                let percent = packed.len() * 100 / bodies.len();
                assert!(range.contains(&percent), "{content:?} {compression:?}: {percent} %");
            }
        }
    }
}
