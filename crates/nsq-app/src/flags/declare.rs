//! The one place where a flag is declared.

/// Declares a struct of options and the flags that set them.
///
/// ```
/// nsq_app::flags! {
///     /// Settings of the example.
///     #[derive(Debug, Clone)]
///     pub struct Options {
///         /// number of messages to keep in memory (per topic/channel)
///         "mem-queue-size" => mem_queue_size: usize = 10_000;
///         /// lookupd TCP address (may be given multiple times)
///         "lookupd-tcp-address" => nsqlookupd_tcp_addresses: Vec<String> = Vec::new();
///         /// unique part for message IDs
///         "node-id", key "id" => node_id: u16 = 0;
///         /// print version string
///         "version", no key => version: bool = false;
///         /// goroutines for queue scanning
///         "queue-scan-worker-pool-max", without effect "nothing is scanned"
///             => queue_scan_worker_pool_max: u64 = 4;
///     }
/// }
/// ```
///
/// The documentation of a field is also its help text, so it has NSQ's wording; lines of it are
/// joined with blanks. Its type says how a value reads: see
/// [`FlagValue`](crate::flags::FlagValue). The configuration key is the field's name unless
/// another or none is given. `without effect "why"` marks a flag that is only read for the sake of
/// old command lines and files.
#[macro_export]
macro_rules! flags {
    (
        $(#[$attribute:meta])*
        pub struct $options:ident {
            $(
                $(#[doc = $help:literal])+
                $name:literal $(, key $key:literal)? $(, no $no_key:ident)?
                $(, without effect $without_effect:literal)?
                    => $field:ident: $type:ty = $default:expr;
            )*
        }
    ) => {
        $(#[$attribute])*
        // Help texts are written for terminals: `<addr>` and `[1,9]` mean themselves.
        #[allow(rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
        pub struct $options {
            $(
                $(#[doc = $help])+
                pub $field: $type,
            )*
        }

        impl ::core::default::Default for $options {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::flags::FlagSet for $options {
            const FLAGS: &'static [$crate::flags::Flag<Self>] = &[$(
                $crate::flags::Flag {
                    name: $name,
                    config_key: $crate::flags!(@key $field $($key)? $(no $no_key)?),
                    help: ::core::concat!($($help),+),
                    type_word: <$type as $crate::flags::FlagValue>::TYPE_WORD,
                    is_boolean: <$type as $crate::flags::FlagValue>::IS_BOOLEAN,
                    tolerates_number: <$type as $crate::flags::FlagValue>::TOLERATES_NUMBER,
                    without_effect: $crate::flags!(@optional $($without_effect)?),
                    set: |options, text| {
                        $crate::flags::FlagValue::set(&mut options.$field, text)
                    },
                    set_config: |options, value| {
                        $crate::flags::FlagValue::set_config(&mut options.$field, value)
                    },
                    default_text: |options| {
                        $crate::flags::FlagValue::default_text(&options.$field)
                    },
                    config_value: |options| {
                        $crate::flags::FlagValue::config_value(&options.$field)
                    },
                },
            )*];
        }
    };
    (@optional) => { ::core::option::Option::None };
    (@optional $text:literal) => { ::core::option::Option::Some($text) };
    (@key $field:ident) => { ::core::option::Option::Some(::core::stringify!($field)) };
    (@key $field:ident $key:literal) => { ::core::option::Option::Some($key) };
    (@key $field:ident no key) => { ::core::option::Option::None };
}
