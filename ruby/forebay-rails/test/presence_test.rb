# frozen_string_literal: true

require_relative "support"

# Who is there, as docs/presence.md says it.
class PresenceTest < Support::Test
  GUIDE = File.read(File.expand_path("../../../docs/presence.md", __dir__))

  def self.snippets(language)
    GUIDE.scan(/^```#{language}\n(.*?)^```$/m).flatten
  end

  def setup
    super
    PagesController.here_template = self.class.snippets("erb").fetch(0)
    PagesController.hook_code = self.class.snippets("ruby").fetch(0)
    PagesController.events = Thread::Queue.new
  end

  def test_the_guides_tag_makes_present_and_shows_who_is_there_and_who_comes_and_leaves
    server = serve("--presence-grace", "0")
    use_forebay(server)
    ann = open(server, User.new(7, "<Ann>"))
    assert_equal [update(""), append(7, "&lt;Ann&gt;")], ann.messages(2)
    bob = open(server, User.new(8, "Bob"))
    # The list, whoever has come since the page's cursor, and the page itself.
    list = update(li(7, "&lt;Ann&gt;"))
    assert_equal [list, append(8, "Bob")], bob.messages(2)
    assert_equal [append(8, "Bob")], ann.messages(1)
    bob.close
    remove = '<turbo-stream action="remove" target="user_8"></turbo-stream>'
    assert_equal [remove], ann.messages(1)
  end

  def test_what_the_app_says_of_a_member_is_shown_to_all
    server = serve
    use_forebay(server)
    ann = User.new(7, "Ann")
    page = open(server, ann)
    page.messages(2)
    typing = li(7, "Ann is typing")
    assert Forebay::Rails.update_member("room:1", as: ann, html: typing)
    expected = %(<turbo-stream action="replace" target="user_7"><template>#{typing}</template></turbo-stream>)
    assert_equal [expected], page.messages(1)
    refute Forebay::Rails.update_member("room:1", as: User.new(8, "Bob"), html: li(8, "Bob")), "he is not there"
    error = assert_raises(Forebay::Rails::Publisher::Refused) do
      Forebay::Rails.update_member("room:1", as: ann, html: "x" * 5_000)
    end
    assert_includes error.message, "413"
  end

  def test_a_page_that_only_watches_makes_nobody_present
    server = serve
    use_forebay(server)
    ann = open(server, User.new(7, "Ann"))
    ann.messages(2)
    PagesController.here_template = "<%= turbo_presence_stream_from 'room:1' %>"
    watcher = open(server, nil)
    assert_equal [update(li(7, "Ann"))], watcher.messages(1)
    refute_includes get("/here"), "data-member"
  end

  def test_a_members_tag_of_another_stream_is_refused
    server = serve
    use_forebay(server)
    PagesController.here_template = "<%= turbo_presence_stream_from 'room:2', as: @user %>"
    other = identifier_in(page_of(User.new(7, "Ann")))
    PagesController.here_template = self.class.snippets("erb").fetch(0)
    mine = identifier_in(page_of(User.new(7, "Ann")))
    error = assert_raises(RuntimeError) { subscribe(server, mine.merge("member" => other["member"])) }
    assert_includes error.message, "reject_subscription"
  end

  def test_a_member_that_is_too_long_for_a_tag_is_said_where_it_is_rendered
    use_forebay(serve)
    page_of(User.new(7, "x" * 3_000))
    assert_includes log, "give a shorter partial as html:"
  end

  def test_the_guides_webhook_is_told_of_the_first_and_the_last
    app = TCPServer.new("127.0.0.1", 0)
    answering = Thread.new { loop { answer(app.accept) } }
    server = serve("--presence-grace", "0", "--presence-webhook-url", "http://127.0.0.1:#{app.addr[1]}/hook")
    use_forebay(server)
    open(server, User.new(7, "Ann")).close
    told = Array.new(2) { Timeout.timeout(Support::PATIENCE) { PagesController.events.pop } }
    assert_equal [%w[first_in room:1], %w[last_out room:1]], told.map { |event| event.values_at("event", "stream") }
  ensure
    answering&.kill
    app&.close
  end

  private

  # As much of an HTTP server as one request needs; Rails does the rest.
  def answer(socket)
    socket.gets
    length = 0
    while (line = socket.gets) != "\r\n"
      length = Integer(line[/\d+/]) if line.downcase.start_with?("content-length:")
    end
    env = Rack::MockRequest.env_for("/hook", method: "POST", input: socket.read(length), "CONTENT_TYPE" => "text/plain")
    status, = Rails.application.call(env)
    socket.write("HTTP/1.1 #{status} \r\nConnection: close\r\n\r\n")
    socket.close
  end

  def page_of(user)
    PagesController.user = user
    get("/here")
  end

  # As turbo-rails' element does it.
  def identifier_in(html)
    tag = html[/<turbo-cable-stream-source[^>]*>/]
    value = ->(name) { tag[/ #{name}="([^"]*)"/, 1] }
    names = { "channel" => "channel", "signed_stream_name" => "signed-stream-name", "member" => "data-member",
      "list" => "data-list" }
    names.transform_values(&value).compact
  end

  def open(server, user)
    subscribe(server, identifier_in(page_of(user)))
  end

  def subscribe(server, identifier)
    page = Support::Page.new(server.port).subscribe_with(identifier)
    (@pages ||= []) << page
    page
  end

  def li(id, name)
    %(<li id="user_#{id}">#{name}</li>)
  end

  def append(id, name)
    %(<turbo-stream action="append" target="users"><template>#{li(id, name)}</template></turbo-stream>)
  end

  def update(content)
    %(<turbo-stream action="update" target="users"><template>#{content}</template></turbo-stream>)
  end
end
