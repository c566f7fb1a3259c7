//! The lines of Rust in `docs/outbox.md`.

use std::error::Error;

use forebay_core as forebay;
use forebay_core::Forebay;
use sqlx::{Pool, Sqlite};

use crate::{SECRET, all, sqlite};

async fn build(pool: Pool<Sqlite>, secret: &str) -> Result<Forebay, Box<dyn Error>> {
    use forebay::outbox::Outbox;

    Outbox::migrate(&pool).await?;
    let forebay = Forebay::builder().secret(secret).outbox(Outbox::open(&pool).await?).build()?;
    Ok(forebay)
}

#[tokio::test]
async fn the_guide_s_lines_are_those_that_are_run() {
    let guide = include_str!("../../../../docs/outbox.md");
    let here = include_str!("guide.rs");
    let block = guide.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for line in block.lines().filter(|line| !line.is_empty()) {
        assert!(here.lines().any(|own| own.trim() == line.trim()), "{line} is run by nobody");
    }
    let folder = tempfile::TempDir::new().unwrap();
    let pool = sqlite::pool(&folder.path().join("rows")).await;
    let forebay = build(pool.clone(), SECRET).await.unwrap();
    let transaction = forebay.begin(&pool).await.unwrap();
    transaction.broadcast().refresh_to("s").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(all(&forebay, "s").len(), 1);
}
