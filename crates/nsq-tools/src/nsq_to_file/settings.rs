//! The options, checked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use nsq_app::flags::CommandLine;
use nsq_app::{Logger, host};
use nsq_client::Config;
use regex::Regex;

use super::file_names::{FileNames, InvalidFileNames, NameParts, host_identifier};
use super::options::Options;
use super::rotation::RotationLimits;
use super::topic_files::FileSettings;
use crate::cli::{self, Sources};

/// What to write, from where, and how.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: Options,
    pub(super) sources: Sources,
    pub(super) pattern: Option<Regex>,
    pub(super) files: FileSettings,
    pub(super) log: Logger,
    host: String,
}

impl Settings {
    /// Checks in the order of Go's tool. None if only the version is asked for.
    pub(super) fn check(line: CommandLine<Options>) -> anyhow::Result<Option<Self>> {
        let CommandLine { options, rest, .. } = line;
        ensure!(rest.is_empty(), "unknown arguments: [{}]", rest.join(" "));
        let level = options.log_level().context("--log-level is invalid")?;
        if options.version {
            return Ok(None);
        }
        ensure!(!options.channel.is_empty(), "--channel is required");
        for (flag, duration) in [
            ("http-client-connect-timeout", options.http_client_connect_timeout),
            ("http-client-request-timeout", options.http_client_request_timeout),
            ("sync-interval", options.sync_interval),
            ("topic-refresh", options.topic_refresh),
        ] {
            ensure!(duration > Duration::ZERO, "--{flag} should be positive");
        }
        ensure!(options.max_in_flight > 0, "--max-in-flight should be positive");
        let (nsqds, lookupds) = (&options.nsqd_tcp_addresses, &options.lookupd_http_addresses);
        if nsqds.is_empty() && lookupds.is_empty() {
            // The only tool that ends this line with a dot.
            bail!("--nsqd-tcp-address or --lookupd-http-address required.");
        }
        let sources = cli::sources("nsqd-tcp-address", nsqds, lookupds)?;
        let gzip_level = u32::try_from(options.gzip_level).ok().filter(|it| (1..=9).contains(it));
        let Some(gzip_level) = gzip_level else {
            bail!("invalid --gzip-level value ({}), should be 1-9", options.gzip_level);
        };
        let has_pattern = !options.topic_pattern.is_empty();
        ensure!(!options.topics.is_empty() || has_pattern, "--topic or --topic-pattern required");
        if options.topics.is_empty() && lookupds.is_empty() {
            bail!("--lookupd-http-address must be specified when no --topic specified");
        }
        let pattern = has_pattern.then(|| Regex::new(&options.topic_pattern)).transpose();
        let pattern = pattern.context("--topic-pattern is invalid")?;
        options.consumer_options.0.check()?;
        Ok(Some(Self {
            files: file_settings(&options, gzip_level),
            log: Logger::to_stderr(&options.log_prefix, level),
            host: host_identifier(&options.host_identifier, &host::name()),
            options,
            sources,
            pattern,
        }))
    }

    /// How the files of a topic are called.
    pub(super) fn names(&self, topic: &str) -> Result<FileNames, InvalidFileNames> {
        FileNames::new(&NameParts {
            format: &self.options.filename_format,
            datetime_format: &self.options.datetime_format,
            topic,
            host: &self.host,
            process_id: std::process::id(),
            has_revisions: self.files.has_revisions(),
            is_gzip: self.options.gzip,
        })
    }

    /// The options of the consumers.
    pub(super) fn consumer(&self) -> Config {
        let config = self.options.consumer_options.0.clone();
        Config {
            user_agent: cli::user_agent("nsq_to_file"),
            max_in_flight: self.options.max_in_flight,
            ..config
        }
    }
}

fn file_settings(options: &Options, gzip_level: u32) -> FileSettings {
    let output_dir = PathBuf::from(&options.output_dir);
    let work_dir = match options.work_dir.as_str() {
        "" => output_dir.clone(),
        path => PathBuf::from(path),
    };
    FileSettings {
        work_dir,
        output_dir,
        gzip_level: options.gzip.then_some(gzip_level),
        limits: RotationLimits {
            size_bytes: Some(options.rotate_size).filter(|&it| it > 0),
            age: Some(options.rotate_interval).filter(|it| !it.is_zero()),
        },
        skip_empty_files: options.skip_empty_files,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use nsq_app::flags;

    use super::*;

    fn checked(arguments: &[&str]) -> anyhow::Result<Option<Settings>> {
        Settings::check(flags::parse(arguments.iter().map(OsString::from)).expect("flags"))
    }

    #[test]
    fn command_lines_that_cannot_be() {
        let nsqd = "--nsqd-tcp-address=a:1";
        for (arguments, expected) in [
            (["--gzip", "a", "b"].as_slice(), "unknown arguments: [a b]"),
            (&["--log-level=no", "--version"], "--log-level is invalid"),
            (&["--channel="], "--channel is required"),
            (
                &["--http-client-connect-timeout=0"],
                "--http-client-connect-timeout should be positive",
            ),
            (
                &["--http-client-request-timeout=0"],
                "--http-client-request-timeout should be positive",
            ),
            (&["--sync-interval=0"], "--sync-interval should be positive"),
            (&["--topic-refresh=0s"], "--topic-refresh should be positive"),
            (&["--max-in-flight=0"], "--max-in-flight should be positive"),
            (&["--topic=a"], "--nsqd-tcp-address or --lookupd-http-address required."),
            (
                &[nsqd, "--lookupd-http-address=b:1"],
                "use --nsqd-tcp-address or --lookupd-http-address not both",
            ),
            (&[nsqd, "--gzip-level=0"], "invalid --gzip-level value (0), should be 1-9"),
            (&[nsqd, "--gzip-level=10"], "invalid --gzip-level value (10), should be 1-9"),
            (&[nsqd], "--topic or --topic-pattern required"),
            (
                &[nsqd, "--topic-pattern=a"],
                "--lookupd-http-address must be specified when no --topic specified",
            ),
            (&[nsqd, "--topic=a", "--topic-pattern=("], "--topic-pattern is invalid"),
            (
                &[nsqd, "--topic=a", "--consumer-opt=snappy", "--consumer-opt=deflate"],
                "snappy and deflate cannot both be used",
            ),
        ] {
            let error = checked(arguments).expect_err("it cannot be");
            assert_eq!(error.to_string(), expected, "{arguments:?}");
        }
        assert!(checked(&["--version"]).expect("no error").is_none());
    }

    #[test]
    fn options_of_consumers() {
        let settings = checked(&[
            "--topic=a",
            "--lookupd-http-address=b:1",
            "--consumer-opt=msg-timeout,2m",
            "--consumer-opt=max_in_flight,7",
        ]);
        let config = settings.expect("no error").expect("not the version").consumer();
        assert_eq!(config.msg_timeout, Duration::from_secs(120));
        assert_eq!((config.max_in_flight, config.max_attempts), (200, 0));
        assert!(config.user_agent.starts_with("nsq_to_file/1.3.0 "), "{}", config.user_agent);
        let unknown = flags::parse::<Options>([OsString::from("--consumer-opt=nope")]);
        let text = r#"invalid value "nope" for flag -consumer-opt: invalid option nope"#;
        assert_eq!(unknown.expect_err("unknown").to_string(), text);
    }

    #[test]
    fn revisions_are_for_files_that_must_be_told_apart() {
        let common = ["--topic=a", "--nsqd-tcp-address=b:1", "--output-dir=/o"];
        for (flag, expected) in [
            ("--gzip=false", false),
            ("--work-dir=/o", false),
            ("--work-dir=/w", true),
            ("--gzip", true),
            ("--rotate-size=1", true),
            ("--rotate-interval=1s", true),
        ] {
            let arguments: Vec<_> = common.into_iter().chain([flag]).collect();
            let settings = checked(&arguments).expect("no error").expect("not the version");
            assert_eq!(settings.files.has_revisions(), expected, "{flag}");
        }
    }
}
