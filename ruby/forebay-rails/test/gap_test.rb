# frozen_string_literal: true

require_relative "support"

# What a broadcast that was not taken leaves behind, and how its pages heal.
class GapTest < Support::Test
  REFRESH = '<turbo-stream action="refresh"></turbo-stream>'

  def test_what_was_lost_is_a_gap_and_its_pages_heal_with_the_next_broadcast
    server = serve
    line = Support::Line.new(server)
    use(adapter: "forebay", url: line.url, broadcast_seconds: 0.2)
    lacks = page(server, signed("messages"))
    lacks_nothing = page(server, signed("others"))
    line.cut
    assert_raises(Forebay::Rails::Publisher::NotTaken) { broadcast("messages", "lost") }
    line.mend
    broadcast("others", "taken")
    assert_equal [REFRESH], lacks.messages(1)
    assert_equal ["taken"], lacks_nothing.messages(1)
    broadcast("messages", "goes on")
    assert_equal ["goes on"], lacks.messages(1)
  end

  def test_pages_heal_without_another_broadcast_once_the_server_is_back
    server = serve
    line = Support::Line.new(server)
    use(adapter: "forebay", url: line.url, broadcast_seconds: 0.2)
    lacks = page(server, signed("messages"))
    line.cut
    assert_raises(Forebay::Rails::Publisher::NotTaken) { broadcast("messages", "lost") }
    line.mend
    assert_equal [REFRESH], lacks.messages(1)
  end

  def test_a_broadcast_whose_answer_was_lost_is_sent_again_and_its_pages_render_again
    server = serve
    line = Support::Line.new(server)
    use(adapter: "forebay", url: line.url)
    page = page(server, signed("messages"))
    line.lose_next_answer
    broadcast("messages", "once or twice")
    assert_equal ["once or twice", "once or twice", REFRESH], page.messages(3)
  end
end
