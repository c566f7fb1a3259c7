# frozen_string_literal: true

require_relative "support"

# A server that takes connections and does not answer, or is not there.
class HungServerTest < Support::Test
  # Far above what is promised (0.2 s), so that a busy machine fails nothing, and far below what a page
  # waited for before there was a limit for all of it (10 s and more).
  SECONDS_MAX = 3

  def test_pages_are_rendered_without_a_cursor_and_soon_nobody_waits
    server = serve
    use_forebay(server)
    assert name_in(get).start_with?("#{signed("messages")}."), "there is a kept connection"
    server.hang

    pages, seconds = timed { Array.new(20) { Thread.new { get } }.map(&:value) }
    assert_equal [signed("messages")], pages.map { |page| name_in(page) }.uniq
    assert_operator seconds, :<, SECONDS_MAX
    assert_match(/no cursor, so this page may miss updates/, log)
    assert_includes log, "the next pages of 2.0 s are rendered without one"

    asked = log.scan("no cursor").size
    get
    assert_equal asked, log.scan("no cursor").size, "the breaker is open: this page has not asked"
  end

  def test_cursors_don_t_wait_for_broadcasts
    line = Support::Line.new(serve)
    # A broadcast that hangs for as long as the test does.
    use(adapter: "forebay", url: line.url, broadcast_seconds: 600)
    line.swallow_posts
    hanging = Thread.new { broadcast("messages", "hangs") }
    hanging.report_on_exception = false
    line.wait_for_post
    assert name_in(get).start_with?("#{signed("messages")}.")
    assert_predicate hanging, :alive?
  ensure
    hanging&.kill&.join
  end

  def test_an_answer_that_comes_in_drops_is_no_way_around_the_limit
    dripping = TCPServer.new("127.0.0.1", 0)
    thread = Thread.new do
      loop do
        client = dripping.accept
        Thread.new { loop { client.write("H") && IO.select([client], nil, nil, 0.05) } rescue nil }
      end
    end
    use(adapter: "forebay", url: "http://127.0.0.1:#{dripping.addr[1]}")
    page, seconds = timed { get }
    assert_equal signed("messages"), name_in(page)
    assert_operator seconds, :<, SECONDS_MAX
  ensure
    thread&.kill
    dripping&.close
  end

  def test_a_server_that_is_away_costs_a_page_nothing_but_its_cursor
    use(adapter: "forebay", url: "http://127.0.0.1:#{Support.free_port}")
    assert_equal signed("messages"), name_in(get)
    assert_match(/no cursor.*was not reached/, log)
  end

  def test_a_wrong_setting_is_logged_once_by_pages_and_raised_by_broadcasts
    use(adapter: "forebay", url: "localhost:8080")
    2.times { assert_equal signed("messages"), name_in(get) }
    assert_equal 1, log.scan("pages have no cursor: cable.yml: url must be the address of forebay serve").size, log
    assert_raises(ArgumentError) { broadcast("messages", "1") }
  ensure
    use(adapter: "test")
  end

  def test_a_wrong_key_says_so
    use_forebay(serve, key: "another")
    assert_equal signed("messages"), name_in(get)
    assert_match(/no cursor.*forebay answered 401: this is not the broadcast key/, log)
  end
end
