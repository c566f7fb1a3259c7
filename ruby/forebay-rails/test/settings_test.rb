# frozen_string_literal: true

require_relative "support"

class SettingsTest < Minitest::Test
  def test_the_key_is_derived_as_the_server_derives_it
    settings = Forebay::Rails::Settings.new("url" => "http://127.0.0.1:8080")
    expected = OpenSSL::HMAC.hexdigest("SHA256", Support::SECRET_KEY_BASE, "broadcast-cable")
    assert_equal expected, settings.key
    refute_includes settings.inspect, expected
    assert_equal "given", Forebay::Rails::Settings.new("url" => "http://a", "key" => "given").key
  end

  def test_mistakes_are_named
    refuse({}, /url must be the address/)
    refuse({ "url" => "127.0.0.1:8080" }, /url/)
    refuse({ "url" => "redis://127.0.0.1" }, /url must be the address/)
    refuse({ "url" => "http://a b" }, /url can't be read/)
    refuse({ "url" => "http://a", "cursor_second" => 1 }, /knows no cursor_second/)
    refuse({ "url" => "http://a", "cursor_seconds" => 0 }, /cursor_seconds must be more than 0/)
    refuse({ "url" => "http://a", "pool" => 0 }, /pool must be at least 1/)
  end

  private

  def refuse(cable, message)
    error = assert_raises(ArgumentError) { Forebay::Rails::Settings.new(cable) }
    assert_match message, error.message
  end
end
