//! A small HTTP/1.1 client over the kernel's TCP, whose writes are cut where the test wants.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects from the namespace of this thread.
    pub fn open(to: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, received: Vec::new() })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as one write.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes as two segments, cut at `at`.
    pub fn send_split(&mut self, bytes: &[u8], at: usize) -> io::Result<()> {
        let (first, second) = bytes.split_at(at);
        self.send(first)?;
        self.send(second)
    }

    /// The next answer to a method other than HEAD.
    pub fn response(&mut self) -> io::Result<Response> {
        self.response_to("GET")
    }

    /// The next answer to `method`.
    pub fn response_to(&mut self, method: &str) -> io::Result<Response> {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.receive()?;
        };
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end + 4);
        let mut response = parse_head(&head)?;
        let has_body = method != "HEAD" && response.status >= 200 && !matches!(response.status, 204 | 304);
        if has_body {
            let length = response.header("content-length").and_then(|value| value.parse().ok());
            let length: usize = length.ok_or_else(|| io::Error::other(format!("no Content-Length:\n{head}")))?;
            while self.received.len() < length {
                self.receive()?;
            }
            response.body = self.received.drain(..length).collect();
        }
        Ok(response)
    }

    /// Sends a request and takes its answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        self.send(request)?;
        self.response()
    }

    /// Whether the server closes, in order, with nothing more to say.
    pub fn closes(&mut self) -> io::Result<bool> {
        Ok(self.received.is_empty() && self.stream.read(&mut [0])? == 0)
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            taken => {
                self.received.extend_from_slice(&piece[..taken]);
                Ok(())
            }
        }
    }
}

fn parse_head(head: &str) -> io::Result<Response> {
    let wrong = || io::Error::other(format!("this is no answer:\n{head}"));
    let mut lines = head.split("\r\n");
    let status_line = lines.next().ok_or_else(wrong)?;
    let status =
        status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(wrong)?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Response { status, headers, body: Vec::new() })
}
