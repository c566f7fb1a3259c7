# frozen_string_literal: true

require_relative "support"

# Broadcasts through a line that is cut, and servers that are restarted.
class BroadcastTest < Support::Test
  def test_a_broadcast_that_a_restart_refused_is_tried_again
    server = serve
    line = Support::Line.new(server)
    use(adapter: "forebay", url: line.url, broadcast_seconds: Support::PATIENCE)
    broadcast("messages", "there is a kept connection")
    page = page(server, signed("messages"))
    line.cut
    broadcasting = Thread.new { broadcast("messages", "while nobody was there") }
    # It has been refused when it waits before it tries again.
    Timeout.timeout(Support::PATIENCE) { Thread.pass until broadcasting.backtrace&.first.to_s.include?("`sleep'") }
    line.mend
    broadcasting.join
    broadcast("messages", "after")
    assert_equal ["while nobody was there", "after"], page.messages(2)
  end

  # As a server or a proxy says it that is about to be restarted.
  def test_an_answer_of_503_is_tried_again
    server = serve
    line = Support::Line.new(server)
    use(adapter: "forebay", url: line.url, broadcast_seconds: Support::PATIENCE)
    page = page(server, signed("messages"))
    line.answer_next_with_503
    broadcast("messages", "taken at last")
    broadcast("messages", "after")
    assert_equal ["taken at last", "after"], page.messages(2)
  end

  def test_broadcasts_of_one_process_keep_their_order
    server = serve
    use_forebay(server)
    page = page(server, signed("messages"))
    threads = Array.new(4) { |thread| Thread.new { 25.times { |at| broadcast("messages", [thread, at]) } } }
    threads.each(&:join)
    messages = page.messages(100)
    4.times { |thread| assert_equal (0...25).to_a, messages.filter_map { |from, at| at if from == thread } }
  end

  def test_a_broadcast_to_a_server_that_stays_away_raises_in_time
    use(adapter: "forebay", url: "http://127.0.0.1:#{Support.free_port}", broadcast_seconds: 0.3)
    error, seconds = timed { assert_raises(Forebay::Rails::Publisher::NotTaken) { broadcast("messages", "1") } }
    assert_match(/was not reached.*tried for 0.3 s/, error.message)
    assert_operator seconds, :<, Support::PATIENCE
    assert_match(/a broadcast to "messages" was not taken/, log)
  end

  def test_threads_that_wait_for_their_turn_behind_a_hung_server_wait_no_longer_than_the_first
    server = serve
    use_forebay(server, broadcast_seconds: 0.5)
    broadcast("messages", "there is a kept connection")
    server.hang
    errors, seconds = timed do
      Array.new(10) { Thread.new { broadcast("messages", "1") rescue $!.class } }.map(&:value)
    end
    assert_equal [Forebay::Rails::Publisher::NotTaken], errors.uniq
    # One after the other they would take five seconds.
    assert_operator seconds, :<, 4
  end

  def test_what_the_server_refuses_is_not_tried_again
    server = serve("--broadcast-max-message-size", "1KiB")
    use_forebay(server, broadcast_seconds: Support::PATIENCE)
    error, seconds = timed do
      assert_raises(Forebay::Rails::Publisher::Refused) { broadcast("messages", "x" * 2000) }
    end
    assert_match(/forebay answered 413/, error.message)
    assert_operator seconds, :<, Support::PATIENCE
  end

  def test_a_restarted_server_is_reached_by_kept_connections
    server = serve
    use_forebay(server)
    broadcast("messages", "before")
    get
    server.stop
    server.start
    html = get
    broadcast("messages", "after")
    assert_equal ["after"], page(server, name_in(html)).messages(1)
  end

  # As a deploy of the server does it (docs/serve.md): nothing is refused, lost, doubled or healed.
  def test_a_successor_that_takes_over_is_not_noticed
    Dir.mktmpdir do |folder|
      flags = ["--history-folder", folder, "--history-limit", "100000", "--takeover"]
      use_forebay(server = serve(*flags))
      name = name_in(get)
      sent = 0
      successor = Thread.new { serve(*flags, port: server.port) }
      broadcast("messages", sent += 1) while successor.alive?
      broadcast("messages", sent += 1)
      assert_equal (1..sent).to_a, page(successor.value, name).messages(sent)
      assert_empty log.lines.grep(/not taken|may lack/)
    end
  end

  def test_pages_connect_to_the_server_and_not_to_rails
    use_forebay(serve)
    error = assert_raises(NotImplementedError) { ActionCable.server.pubsub.subscribe("messages", ->(_) {}) }
    assert_match(/forebay serve/, error.message)
  end
end
