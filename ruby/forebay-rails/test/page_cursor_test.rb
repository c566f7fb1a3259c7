# frozen_string_literal: true

require_relative "support"

class PageCursorTest < Minitest::Test
  # The example of docs/protocol.md.
  SECRET = "_-E_wlJDgozdx6PdyPraBBwXg43fzaIs_xHZ1Oyq9D8"
  NAME = "Im1lc3NhZ2VzIg==--8b0a"

  def test_the_protocols_example
    cursor = Forebay::Rails::PageCursor.parse("feed.41.7.#{SECRET}")
    assert_equal "feed.41.7.JUg5_JDkHtbMiLIM", cursor.cursor_for(NAME)
  end

  def test_the_protocols_exact_example
    cursor = Forebay::Rails::PageCursor.parse("feed.41.7.#{SECRET}").with_seen("5ca1e-7-10-2d8-3-0_2")
    assert_equal "feed.41.7.5ca1e-7-10-2d8-3-0_2.a7blri4n4vVgWFWz", cursor.cursor_for(NAME)
  end

  def test_what_nobody_has_seen_is_refused
    cursor = Forebay::Rails::PageCursor.parse("feed.41.7.#{SECRET}")
    ["", "728:731:728", "1-2", "1-2-3", "1-2-3-4-5-", "1-2-3-4-5\n"].each do |text|
      assert_raises(ArgumentError) { cursor.with_seen(text) }
    end
  end

  def test_what_is_no_cursor_is_not_rendered
    ["", "feed.41.7", "feed.41.7.#{SECRET}x", "<b>.1.1.#{SECRET}", "feed.41.7.#{SECRET}\n"].each do |text|
      assert_raises(ArgumentError) { Forebay::Rails::PageCursor.parse(text) }
    end
  end
end
