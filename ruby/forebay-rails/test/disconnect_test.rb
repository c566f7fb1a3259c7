# frozen_string_literal: true

require_relative "support"

# `remote_connections.where(…).disconnect`: Rails broadcasts it to itself.
class DisconnectTest < Support::Test
  # As a record is one to Action Cable.
  User = Struct.new(:id) do
    def to_gid_param
      "gid-of-user-#{id}"
    end
  end

  def teardown
    ApplicationCable::Connection.identifiers = Set[:current_user]
    super
  end

  def test_a_visitors_pages_end_and_come_back
    one, two = pages("gid-of-user-1", "gid-of-user-2")
    remote(current_user: User.new(1)).disconnect
    assert_equal [true, "remote"], one.next.values_at("reconnect", "reason")
    broadcast("messages", "for the other")
    assert_equal ["for the other"], two.messages(1), "it is no message of the stream"
  end

  def test_a_visitors_pages_end_and_stay_away
    one, = pages("gid-of-user-1")
    # Rails before 7.1 has no `reconnect`, and this is what later ones broadcast.
    connection = remote(current_user: User.new(1))
    if connection.method(:disconnect).arity.zero?
      ActionCable.server.broadcast(connection.send(:internal_channel), { type: "disconnect", reconnect: false })
    else
      connection.disconnect(reconnect: false)
    end
    assert_equal [false, "remote"], one.next.values_at("reconnect", "reason")
  end

  def test_several_identifiers_are_one_name_as_in_rails
    ApplicationCable::Connection.identifiers = Set[:current_user, :account]
    one, two = pages("account-9:gid-of-user-1", "gid-of-user-1")
    remote(current_user: User.new(1), account: "account-9").disconnect
    assert_equal "disconnect", one.next["type"]
    broadcast("messages", "for the other")
    assert_equal ["for the other"], two.messages(1)
  end

  def test_where_no_visitor_has_a_name_it_raises
    use_forebay(serve)
    error = assert_raises(Forebay::Rails::Publisher::Refused) { remote(current_user: User.new(1)).disconnect }
    assert_match(/identity_header/, error.message)
  end

  def test_internal_messages_that_nobody_knows_raise
    use_forebay(serve)
    ["1", "{}", '{"type":"other"}'].each do |payload|
      assert_raises(ArgumentError) { ActionCable.server.pubsub.broadcast("action_cable/user", payload) }
    end
    assert_raises(ArgumentError) { ActionCable.server.pubsub.broadcast("action_cable/", '{"type":"disconnect"}') }
  end

  private

  def pages(*names)
    server = serve("--identity-header", "X-Visitor")
    use_forebay(server)
    names.map { |name| page(server, signed("messages"), "X-Visitor" => name) }
  end

  def remote(**identifiers)
    ActionCable.server.remote_connections.where(identifiers)
  end
end
