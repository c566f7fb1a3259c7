# frozen_string_literal: true

require_relative "support"

class BreakerTest < Minitest::Test
  def setup
    @now = 100.0
    @breaker = Forebay::Rails::Breaker.new(clock: -> { @now })
  end

  def test_it_opens_after_failures_in_a_row
    4.times { refute fail_once }
    assert @breaker.ask?
    refute @breaker.succeeded
    4.times { refute fail_once }
    assert fail_once, "five in a row"
    refute @breaker.ask?
  end

  def test_one_probe_at_a_time_and_its_answer_closes_it
    5.times { fail_once }
    @now += 1.9
    refute @breaker.ask?
    @now += 0.1
    assert @breaker.ask?
    refute @breaker.ask?, "the others go on without"
    assert @breaker.failed
    refute @breaker.ask?
    @now += 2
    assert @breaker.ask?
    assert @breaker.succeeded
    3.times { assert @breaker.ask? }
  end

  def test_a_probe_that_never_says_how_it_went_is_followed_by_another
    5.times { fail_once }
    2.times do
      @now += 2
      assert @breaker.ask?
      refute @breaker.ask?
    end
  end

  private

  def fail_once
    assert @breaker.ask?
    @breaker.failed
  end
end
