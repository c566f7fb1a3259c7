# frozen_string_literal: true

require_relative "support"

# Pages that the app renders, and what they get when they subscribe.
class PageTest < Support::Test
  def test_a_page_gets_what_was_broadcast_while_it_was_rendered
    server = serve
    use_forebay(server)
    broadcast("messages", "before the request")
    PagesController.while_it_renders = -> { broadcast("messages", "<turbo-stream>1</turbo-stream>") }
    html = get
    PagesController.while_it_renders = nil
    broadcast("messages", { text: "<é>", number: 2**53 + 1 })

    page = page(server, name_in(html))
    assert_equal ["<turbo-stream>1</turbo-stream>", { "text" => "<é>", "number" => 2**53 + 1 }], page.messages(2)
    broadcast("messages", "live")
    assert_equal ["live"], page.messages(1)
  end

  def test_the_cursor_follows_the_signed_name_in_the_attribute_that_the_browser_watches
    use_forebay(serve)
    html = get
    name = name_in(html)
    assert name.start_with?("#{signed("messages")}."), name
    assert_match(/\A\h+\.\d+\.\h+\.[\w-]{16}\z/, name.delete_prefix("#{signed("messages")}."))
    assert_includes html, ' data-view="all"'
    refute_includes html, "data-cursor"
    refute_equal name, name_in(get), "each rendering has a cursor of its own"
  end

  # Elements that watch no attribute are replaced by a morph, if their ids differ.
  def test_each_rendering_of_a_tag_has_an_id_of_its_own_unless_the_app_gave_one
    use_forebay(serve)
    html = get
    cursor = name_in(html).delete_prefix("#{signed("messages")}.")
    assert_equal cursor, html[/<turbo-cable-stream-source id="source-([^"]+)"/, 1]
    mine = get("/mine")
    assert_equal ["mine"], mine.scan(/ id="([^"]+)"/).flatten
    assert_match(/--\h+\./, name_in(mine))
  end

  def test_what_makes_cursors_is_not_rendered_and_not_shown
    server = serve
    use_forebay(server)
    cursor = ActionCable.server.pubsub.page_cursor
    secret = cursor.instance_variable_get(:@secret)
    refute_includes cursor.inspect, secret
    assert_equal 43, secret.size
  end

  def test_other_adapters_are_left_alone
    use("adapter" => "test")
    assert_equal signed("messages"), name_in(get)
    assert_empty log[/forebay.*/].to_s

    # Not even loaded: this one would raise.
    use("adapter" => "no_such_adapter")
    assert_equal signed("messages"), name_in(get)
    assert_empty log[/forebay.*/].to_s
  ensure
    use("adapter" => "test")
  end

  def test_an_adapter_that_a_test_has_put_in_place_is_left_alone
    use_forebay(serve)
    ActionCable.server.instance_variable_set(:@pubsub, ActionCable::SubscriptionAdapter::Test.new(ActionCable.server))
    assert_equal signed("messages"), name_in(get)
    assert_empty log[/forebay.*/].to_s
  end

  def test_a_tag_outside_of_a_request_says_once_that_it_has_no_cursor
    use_forebay(serve)
    html = Array.new(2) { PagesController.render(inline: "<%= turbo_stream_from 'job' %>") }
    assert_equal [signed("job")] * 2, html.map { |page| name_in(page) }
    assert_equal 1, log.scan("no cursor: it is not rendered while a request is answered").size, log
    assert_includes log, "PagesController"
    assert_includes log, '"job"'
  end

  def test_a_tag_of_a_request_that_was_said_to_need_none_says_so
    use_forebay(serve)
    assert_equal signed("messages"), name_in(get("/quiet"))
    assert_equal 1, log.scan("config.forebay.pages says").size, log
  end

  def test_only_what_may_be_a_page_costs_a_request_to_the_server
    is_page = Forebay::Rails::CursorMiddleware::PAGES
    {
      {} => true,
      { "HTTP_ACCEPT" => "*/*" } => true,
      { "HTTP_ACCEPT" => "text/html,application/xhtml+xml,*/*;q=0.8", "HTTP_SEC_FETCH_DEST" => "document" } => true,
      { "HTTP_ACCEPT" => "text/vnd.turbo-stream.html, text/html", "HTTP_SEC_FETCH_DEST" => "empty" } => true,
      { "HTTP_ACCEPT" => "text/html", "HTTP_SEC_FETCH_DEST" => "iframe" } => true,
      { "HTTP_ACCEPT" => "application/json" } => false,
      { "HTTP_ACCEPT" => "image/avif,image/webp,*/*;q=0.8", "HTTP_SEC_FETCH_DEST" => "image" } => false,
      { "HTTP_ACCEPT" => "*/*", "HTTP_SEC_FETCH_DEST" => "script" } => false
    }.each { |env, expected| assert_equal expected, is_page.call(env), env.inspect }
  end

  def test_a_forked_worker_has_connections_of_its_own
    server = serve
    use_forebay(server)
    broadcast("messages", "parent")
    html = get
    pid = fork do
      broadcast("messages", "child")
      exit!(name_in(get).start_with?(signed("messages")) ? 0 : 1)
    end
    Process.wait(pid)
    assert_predicate $?, :success?
    broadcast("messages", "parent again")
    assert_equal ["child", "parent again"], page(server, name_in(html)).messages(2)
  end
end
