//! The command line: one declaration a command, from which help comes.

mod serve;
mod show;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// AnyGate: HTTP from the NIC's queues, all in user space.
#[derive(Parser, Debug)]
#[command(name = "anygate", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: What,
}

/// Where the configuration is when nothing is said.
const DEFAULT_CONFIG: &str = "/etc/anygate/anygate.yaml";

/// Which configuration.
#[derive(clap::Args, Clone, Debug)]
struct ConfigFile {
    /// Configuration: YAML, TOML or JSON, by the name's ending
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

/// Which configuration, also as the one argument.
#[derive(clap::Args, Clone, Debug)]
struct ConfigFileOnly {
    #[command(flatten)]
    named: ConfigFile,
    /// The same, without the option
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
}

impl ConfigFileOnly {
    fn path(self) -> PathBuf {
        self.file.unwrap_or(self.named.config)
    }
}

#[derive(Subcommand, Debug)]
enum What {
    /// Serve a configuration
    ///
    /// Creates nothing on the host but what the configuration's `ports` name. SIGTERM and SIGINT drain, SIGHUP reloads.
    Serve(ConfigFileOnly),
    /// Check a configuration: every error with its line, and what to write instead
    Check(ConfigFileOnly),
    /// Print the routes as a tree
    Routes(ConfigFileOnly),
    /// Say which rule answers a request, and why
    ///
    /// Example: anygate explain -c site.yaml GET /a/b
    Explain {
        #[command(flatten)]
        file: ConfigFile,
        /// Host that the request names
        #[arg(long)]
        host: Option<String>,
        /// Method, such as GET
        method: String,
        /// Path or whole URL
        url: String,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

/// Runs the command; what it has to say goes to standard output, errors to standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        What::Serve(file) => serve::serve(&file.path()),
        What::Check(file) => show::check(&file.path()),
        What::Routes(file) => show::routes(&file.path()),
        What::Explain { file, host, method, url } => show::explain(&file.config, host.as_deref(), &method, &url),
        What::Schema => show::schema(),
    }
}

/// A request that is asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The method.
    pub method: router::Method,
    /// The host, from the URL or beside it.
    pub host: Option<String>,
    /// The path, without the query.
    pub path: String,
}

impl Asked {
    /// From a method and a path or URL; the text says what is wrong.
    pub fn parse(method: &str, url: &str, host: Option<&str>) -> Result<Asked, String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if method.is_empty() || !method.chars().all(is_token) {
            return Err(format!("`{method}` is not a method; write it as GET"));
        }
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let (of_url, path) = match rest {
            Some(rest) => rest.find(['/', '?', '#']).map_or((Some(rest), "/"), |at| (Some(&rest[..at]), &rest[at..])),
            None => (None, url),
        };
        let path = path.split(['?', '#']).next().unwrap_or("");
        let path = if path.is_empty() { "/" } else { path };
        if !path.starts_with('/') && path != "*" {
            return Err(format!("`{url}` is neither a path such as /a/b nor a URL such as http://example.org/a/b"));
        }
        let host = host.or(of_url).map(str::to_owned);
        Ok(Asked { method: router::Method::from_token(method.as_bytes()), host, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_of_the_commands_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
        let file = |words: &[&str]| match Arguments::parse_from(words).command {
            What::Check(file) => file.path(),
            other => panic!("{other:?}"),
        };
        assert_eq!(file(&["anygate", "check", "a.yaml"]), PathBuf::from("a.yaml"));
        assert_eq!(file(&["anygate", "check", "-c", "b.yaml"]), PathBuf::from("b.yaml"));
        assert_eq!(file(&["anygate", "check"]), PathBuf::from(DEFAULT_CONFIG));
    }

    #[test]
    fn a_url_gives_host_and_path() {
        let asked = Asked::parse("GET", "http://example.org:80/a/b?c", None).unwrap();
        assert_eq!((asked.host.as_deref(), asked.path.as_str()), (Some("example.org:80"), "/a/b"));
        assert_eq!(Asked::parse("GET", "http://example.org", None).unwrap().path, "/");
        assert_eq!(Asked::parse("GET", "/x", Some("h")).unwrap().host.as_deref(), Some("h"));
        assert!(Asked::parse("GET", "x", None).is_err());
        assert!(Asked::parse("G T", "/x", None).is_err());
    }
}
