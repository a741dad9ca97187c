//! The first line in each direction.

use crate::{ApiError, ErrorCode, PRODUCT_VERSION, PROTOCOL_VERSION};
use serde::{Deserialize, Serialize};

/// Who speaks, and which version of the protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the messages; see [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The version of the program, for people.
    pub product: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    hello: Hello,
}

/// What every version of the protocol has in its hello.
#[derive(Deserialize)]
struct AnyVersion {
    hello: AnyHello,
}

#[derive(Deserialize)]
struct AnyHello {
    protocol: u32,
    #[serde(default)]
    product: String,
}

impl Hello {
    /// The hello of this build.
    pub fn ours() -> Hello {
        Hello { protocol: PROTOCOL_VERSION, product: PRODUCT_VERSION.to_owned() }
    }

    /// The line, without its end.
    pub fn encode(&self) -> String {
        serde_json::to_string(&Line { hello: self.clone() }).unwrap_or_default()
    }

    /// Reads the peer's line. The version is looked at first: a hello of another version may have other fields.
    pub fn decode(line: &str) -> Result<Hello, ApiError> {
        let any: AnyVersion = serde_json::from_str(line).map_err(|error| {
            ApiError::new(ErrorCode::Malformed, format!("the first line must be a hello: {error}"))
                .with_hint(format!("send {}", Hello::ours().encode()))
        })?;
        if any.hello.protocol != PROTOCOL_VERSION {
            return Err(unsupported(&any.hello));
        }
        serde_json::from_str::<Line>(line).map(|line| line.hello).map_err(|error| ApiError::from_json("hello", &error))
    }
}

fn unsupported(theirs: &AnyHello) -> ApiError {
    let product = if theirs.product.is_empty() { "unknown" } else { theirs.product.as_str() };
    ApiError::new(
        ErrorCode::UnsupportedVersion,
        format!(
            "protocol {} of version {product} is not spoken here: this is protocol {PROTOCOL_VERSION} of version {PRODUCT_VERSION}",
            theirs.protocol
        ),
    )
    .with_hint("use the `mgmt` that was installed with the running `anygate`")
}
