//! What is shown of the messages.

/// Counts the messages shown, over all topics, and knows when it is enough.
#[derive(Debug)]
pub(super) struct Tail {
    /// How many are left to be shown; none for no end.
    left: Option<u64>,
    prints_topic: bool,
}

impl Tail {
    pub(super) fn new(limit: Option<u64>, prints_topic: bool) -> Self {
        Self { left: limit, prints_topic }
    }

    /// Whether no more messages are to be shown.
    pub(super) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// Adds the message to what goes to standard output, unless it is over. Returns whether it did.
    pub(super) fn show(&mut self, topic: &str, body: &[u8], output: &mut Vec<u8>) -> bool {
        match &mut self.left {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.prints_topic {
            output.extend_from_slice(topic.as_bytes());
            output.extend_from_slice(b" | ");
        }
        output.extend_from_slice(body);
        output.push(b'\n');
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut tail: Tail, expected: &str) {
        let mut output = Vec::new();
        for (topic, body) in [("t", "one"), ("u", ""), ("t", "two\nthree")] {
            let was_over = tail.is_over();
            assert_eq!(tail.show(topic, body.as_bytes(), &mut output), !was_over);
        }
        assert_eq!(String::from_utf8(output).expect("text"), expected);
    }

    #[test]
    fn messages_are_lines() {
        check(Tail::new(None, false), "one\n\ntwo\nthree\n");
        check(Tail::new(None, true), "t | one\nu | \nt | two\nthree\n");
        check(Tail::new(Some(3), false), "one\n\ntwo\nthree\n");
        check(Tail::new(Some(2), true), "t | one\nu | \n");
        check(Tail::new(Some(0), false), "");
    }
}
