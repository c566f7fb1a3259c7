# frozen_string_literal: true

require_relative "support"

class GapsTest < Minitest::Test
  def setup
    @gaps = Forebay::Rails::Gaps.new
  end

  def test_each_stream_is_told_once
    assert_nil take
    2.times { @gaps.add("a") }
    @gaps.add("b")
    assert_equal({ "streams" => %w[a b] }, take)
    assert_predicate @gaps, :empty?
    assert_nil take
  end

  def test_what_could_not_be_told_comes_back_and_what_came_meanwhile_stays
    @gaps.add("a")
    assert_raises(IOError) do
      @gaps.take do
        @gaps.add("b")
        raise IOError
      end
    end
    assert_equal %w[a b], take["streams"].sort
  end

  def test_too_many_streams_are_all_streams
    (0..Forebay::Rails::Gaps::STREAMS_MAX).each { |number| @gaps.add("stream #{number}") }
    assert_equal({ "all" => true }, take)
    assert_predicate @gaps, :empty?
  end

  private

  def take
    taken = nil
    @gaps.take { |gap| taken = gap }
    taken
  end
end
