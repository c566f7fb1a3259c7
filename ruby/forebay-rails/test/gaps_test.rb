# frozen_string_literal: true

require_relative "support"

class GapsTest < Minitest::Test
  def setup
    @gaps = Forebay::Rails::Gaps.new
  end

  def test_each_stream_is_told_once
    assert_empty take
    2.times { @gaps.add("a") }
    @gaps.add("b")
    assert_equal [%w[a b]], take
    assert_predicate @gaps, :empty?
    assert_empty take
  end

  def test_what_could_not_be_told_comes_back_and_what_came_meanwhile_stays
    @gaps.add("a")
    assert_raises(IOError) do
      @gaps.take do
        @gaps.add("b")
        raise IOError
      end
    end
    assert_equal [%w[b a]], take
  end

  def test_many_are_told_in_parts_and_only_the_rest_comes_back
    1500.times { |number| @gaps.add(number) }
    told = []
    assert_raises(IOError) do
      @gaps.take { |streams| told.empty? ? told = streams : raise(IOError) }
    end
    assert_equal (0...1000).to_a, told
    assert_equal [(1000...1500).to_a], take
  end

  def test_there_is_a_bound_that_is_told
    most = Forebay::Rails::Gaps::STREAMS_MAX
    assert((0...most).all? { |number| @gaps.add(number) })
    refute @gaps.add("one more")
    assert @gaps.add(0), "it is there already"
    assert_equal most, take.sum(&:size)
  end

  private

  def take
    taken = []
    @gaps.take { |streams| taken << streams }
    taken
  end
end
