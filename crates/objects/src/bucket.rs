//! Objects under a prefix of a bucket or a directory, without a future in sight.

use crate::error::{Error, Result, of_store};
use crate::limits::{CONNECT_TIME_MAX, REQUEST_TIME_MAX, REQUESTS_MAX, RETRIES_MAX, RETRY_TIME_MAX};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use std::ops::Range;
use std::sync::{Arc, Once};
use tokio::runtime::{Builder, Runtime};

/// Begins a place in S3, or in what speaks its language.
pub const S3: &str = "s3://";

/// Begins a place in a directory.
pub const FILE: &str = "file://";

/// Objects under a prefix. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    /// As a user would write it.
    place: Arc<str>,
    prefix: Arc<str>,
}

impl Bucket {
    /// The place that a URL names: `s3://BUCKET/PREFIX`, with keys, region and endpoint from the usual variables of the
    /// environment, or `file:///DIRECTORY`, which is made if it is to be, in one that is there: what lies above it may be a drive.
    pub fn open(url: &str, make: bool) -> Result<Self> {
        if let Some(path) = url.strip_prefix(FILE) {
            let failed = |why: String| Error::Url { url: url.to_owned(), why };
            if !path.starts_with('/') {
                return Err(failed("give the whole path, as in file:///media/drive/pantala".to_owned()));
            }
            if make {
                make_directory(path).map_err(|error| failed(format!("cannot make the directory: {error}")))?;
            } else if !std::path::Path::new(path).is_dir() {
                return Err(failed("there is no such directory: it is another drive, or it is not mounted".to_owned()));
            }
            let store = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?;
            return Self::of(Arc::new(store.with_fsync(true)), url, "");
        }
        let rest = url.strip_prefix(S3).unwrap_or(url);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(Error::Url {
                url: url.to_owned(),
                why: "it names no bucket; as in s3://BUCKET/PREFIX".to_owned(),
            });
        }
        Self::of(Arc::new(s3(url, bucket)?), url, prefix.trim_end_matches('/'))
    }

    /// Objects of a store under a prefix; `place` is how to call it.
    pub fn of(store: Arc<dyn ObjectStore>, place: &str, prefix: &str) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Error::Other { place: place.to_owned(), why: error.to_string() })?;
        Ok(Self { store, runtime: Arc::new(runtime), place: place.trim_end_matches('/').into(), prefix: prefix.into() })
    }

    /// As a user would write it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// A whole object; `None` if it is not there.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let got = self.runtime.block_on(async { self.store.get(&self.path(key)).await?.bytes().await });
        match got {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match of_store(&self.place, key, &error) {
                Error::Missing { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Parts of objects, in their order, some requests at a time.
    pub(crate) fn get_ranges(&self, wanted: &[(String, Range<u64>)]) -> Result<Vec<Bytes>> {
        let fetch = |(key, range): &(String, Range<u64>)| {
            let (path, key, range) = (self.path(key), key.clone(), range.clone());
            async move {
                let length = range.end - range.start;
                let got =
                    self.store.get_range(&path, range).await.map_err(|error| of_store(&self.place, &key, &error))?;
                if got.len() as u64 == length { Ok(got) } else { Err(self.corrupt(&key, "it is shorter than it was")) }
            }
        };
        let requests: Vec<_> = wanted.iter().map(fetch).collect();
        self.runtime.block_on(stream::iter(requests).buffered(REQUESTS_MAX).try_collect())
    }

    /// Puts an object. Durable when this returns.
    pub(crate) fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let put = self.runtime.block_on(self.store.put(&self.path(key), bytes.into()));
        put.map(drop).map_err(|error| self.failed(key, &error))
    }

    /// Puts an object if there is none under this key; false if there is another one.
    pub(crate) fn create(&self, key: &str, bytes: &Bytes) -> Result<bool> {
        let path = self.path(key);
        let put = self.store.put_opts(&path, bytes.clone().into(), PutMode::Create.into());
        match self.runtime.block_on(put) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                // It may be ours: the answer to the first request was lost, and the second one found what that one had put.
                Ok(self.get(key)?.is_some_and(|there| there == bytes))
            }
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    /// The keys of the objects below a key, with their lengths.
    pub(crate) fn list(&self, below: &str) -> Result<Vec<(String, u64)>> {
        let prefix = self.path(below);
        let listed: std::result::Result<Vec<_>, _> =
            self.runtime.block_on(self.store.list(Some(&prefix)).try_collect());
        let listed = listed.map_err(|error| self.failed(below, &error))?;
        Ok(listed.into_iter().filter_map(|object| Some((self.key(&object.location)?, object.size))).collect())
    }

    /// The names that stand directly below a key and have objects below them.
    pub(crate) fn list_directories(&self, below: &str) -> Result<Vec<String>> {
        let prefix = self.path(below);
        let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&prefix)));
        let listed = listed.map_err(|error| self.failed(below, &error))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// Takes objects away; those that are not there are as well.
    pub(crate) fn delete(&self, keys: &[String]) -> Result<()> {
        for key in keys {
            match self.runtime.block_on(self.store.delete(&self.path(key))) {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(key, &error)),
            }
        }
        Ok(())
    }

    pub(crate) fn corrupt(&self, key: &str, what: &str) -> Error {
        Error::Corrupt { place: self.place.to_string(), key: key.to_owned(), what: what.to_owned() }
    }

    fn failed(&self, key: &str, error: &object_store::Error) -> Error {
        match of_store(&self.place, key, error) {
            // Who puts or lists something misses no object: the bucket is not there.
            Error::Missing { place, .. } => Error::NoBucket { place },
            error => error,
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }

    fn key(&self, path: &Path) -> Option<String> {
        let path = path.as_ref();
        match self.prefix.is_empty() {
            true => Some(path.to_owned()),
            false => Some(path.strip_prefix(&*self.prefix)?.trim_start_matches('/').to_owned()),
        }
    }
}

fn s3(url: &str, bucket: &str) -> Result<impl ObjectStore> {
    use_ring();
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() };
    let client = ClientOptions::new()
        .with_timeout(REQUEST_TIME_MAX)
        .with_connect_timeout(CONNECT_TIME_MAX)
        // Only an endpoint that says http:// is talked to without TLS.
        .with_allow_http(endpoint().is_some_and(|endpoint| endpoint.starts_with("http://")));
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_client_options(client);
    store.build().map_err(|error| Error::Url { url: url.to_owned(), why: error.to_string() })
}

fn endpoint() -> Option<String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].into_iter().find_map(|name| std::env::var(name).ok())
}

/// TLS needs to be told once per process whose cryptography to use.
fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if somebody else has chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Makes a directory unless it is there.
fn make_directory(path: &str) -> std::io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && std::path::Path::new(path).is_dir() => {
            Ok(())
        }
        made => made,
    }
}
