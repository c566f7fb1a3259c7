//! The pages, without a browser: everything that is broadcast is shown, and on the right page.
//!
//! To copy: `app` builds what `main` serves, and a test opens the pages that show a change, makes it as a
//! visitor does, and asks what they show. `assert_wired` fails where a broadcast reaches no page, finds no
//! target or finds two.

use std::net::Ipv4Addr;
use std::path::Path;

use forebay::Forebay;
use forebay::outbox::Outbox;
use forebay_test::TestApp;

use crate::{app, database, tunnel, visitors, watchers};

/// The demo as it is served, on a database of its own in memory.
async fn app() -> anyhow::Result<TestApp> {
    let pool = database::open(None).await?;
    let builder = Forebay::builder().app("chat").secret("a secret for the demo's tests");
    let builder = builder.outbox(Outbox::open(&pool).await?);
    let builder = builder.presence(visitors::presence()).presence(watchers::presence());
    let forebay: Forebay = builder.build()?;
    // Nothing is carried through the tunnel here.
    let tunnel =
        tunnel::Tunnel::open(forebay.clone(), pool.clone(), (Ipv4Addr::LOCALHOST, 0).into(), None);
    let router = app::router(pool, &forebay, tunnel.await?, Path::new(crate::PUBLIC));
    Ok(TestApp::new(&forebay, router))
}

#[tokio::test]
async fn a_message_is_on_every_page_that_shows_it() -> anyhow::Result<()> {
    let app = app().await?;
    let mut rooms = app.open("/rooms").await;
    let mut grace = app.visitor().open("/rooms/1?as=grace").await;
    let mut ada = app.open("/rooms/1?as=ada").await;
    ada.load_frame("statistics_room_1").await;

    let send = ada.submit("form.composer-form", &[("body", "It is live")]);
    app.assert_broadcasts("rooms", 1, send).await;

    ada.assert_text("#messages article:last-child .message-body", "It is live");
    ada.assert_attribute("#message_body", "value", "");
    ada.assert_text("#statistics_1 dd", "5");
    grace.settle().await;
    grace.assert_text("#messages article:last-child .message-body", "It is live");
    rooms.settle().await;
    rooms.assert_text("#room_1 .room-count", "5 messages");
    for page in [&mut ada, &mut grace, &mut rooms] {
        page.assert_wired().await;
    }
    grace.assert_fresh("#messages").await;
    rooms.assert_fresh("#rooms").await;
    Ok(())
}

#[tokio::test]
async fn a_message_is_edited_and_deleted_everywhere() -> anyhow::Result<()> {
    let app = app().await?;
    let rooms = app.open("/rooms").await;
    let mut grace = app.visitor().open("/rooms/1?as=grace").await;
    let mut ada = app.open("/rooms/1?as=ada").await;
    ada.load_frame("statistics_room_1").await;

    let mut editor = app.open("/messages/1/edit").await;
    editor.submit("form.message-edit", &[("body", "Good evening!")]).await;
    ada.settle().await;
    ada.assert_text("#message_1 .message-body", "Good evening!");
    ada.assert_exists("#message_1 .message-edited");

    ada.submit("#message_1 form", &[]).await;
    ada.assert_gone("#message_1");
    grace.settle().await;
    grace.assert_gone("#message_1");
    for mut page in [ada, grace, rooms] {
        page.assert_wired().await;
    }
    Ok(())
}

#[tokio::test]
async fn visitors_come_and_are_shown_to_each_other() -> anyhow::Result<()> {
    let app = app().await?;
    let mut ada = app.open("/rooms/1?as=ada").await;
    let mut grace = app.visitor().open("/rooms/1?as=grace").await;
    for page in [&mut ada, &mut grace] {
        page.settle().await;
        page.assert_exists("#visitor_1_ada");
        page.assert_exists("#visitor_1_grace");
        page.assert_text("#visitors_total", "2");
        page.assert_wired().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_board_loads_itself_again_for_others() -> anyhow::Result<()> {
    let app = app().await?;
    let mut other = app.visitor().open("/board?as=grace").await;
    let mut board = app.open("/board?as=ada").await;
    board.submit("form[action='/board/cards']", &[("title", "Water the plants")]).await;
    board.assert_text("#column_todo li:last-child .card-title", "Water the plants");
    other.settle().await;
    other.assert_text("#column_todo li:last-child .card-title", "Water the plants");
    board.assert_wired().await;
    other.assert_wired().await;
    Ok(())
}

#[tokio::test]
async fn what_is_typed_wrong_is_answered_in_place() -> anyhow::Result<()> {
    let app = app().await?;
    let mut rooms = app.open("/rooms").await;
    app.assert_no_broadcasts("rooms", rooms.submit("#new_room form", &[("name", "  ")])).await;
    rooms.assert_exists("#room_name_error");
    rooms.submit("#new_room form", &[("name", "Spillway")]).await;
    rooms.assert_text("#rooms li:last-child .room-name", "Spillway");
    rooms.assert_gone("#room_name_error");
    rooms.assert_wired().await;
    Ok(())
}
