# frozen_string_literal: true

# The fixture app (e2e/app) as a Rails app, as far as the scenarios of morph.js need it: a real Rails with the
# gem, in front of `forebay serve`. Prints `ready URL` when it serves.
#
# Reads FOREBAY_URL (where broadcasts go), FOREBAY_E2E_ASSETS (a folder of bundles) and FOREBAY_E2E_CURSORS
# (`none`: pages have no cursor, as with plain Action Cable).

require "logger"
require "socket"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"
require "puma"
require "puma/launcher"

GEM = File.expand_path("../../ruby/forebay-rails", __dir__)
$LOAD_PATH.unshift("#{GEM}/lib")
require "#{GEM}/test/support/turbo"
require "forebay-rails"

# Named places at which a page's rendering stops until a test lets it go on.
class Gates
  def initialize
    @closed = {}
    @mutex = Mutex.new
    @changed = ConditionVariable.new
  end

  # Arrives at a gate, and waits while it is closed.
  def pass(name)
    change { @closed[name] = :reached if @closed.key?(name) }
    wait { !@closed.key?(name) }
  end

  def close(name)
    change { @closed[name] = :closed }
  end

  def open(name)
    change { @closed.delete(name) }
  end

  # Waits until somebody has arrived since the gate was closed.
  def reached(name)
    wait { @closed[name] == :reached }
  end

  private

  def change
    @mutex.synchronize do
      yield
      @changed.broadcast
    end
  end

  def wait
    @mutex.synchronize { @changed.wait(@mutex) until yield }
  end
end

GATES = Gates.new
Message = Struct.new(:id, :body)
# One room, without a database: Puma's threads append to it and copy it, each at once.
MESSAGES = []
STREAM = "messages"

class FixtureApp < Rails::Application
  config.root = __dir__
  config.eager_load = false
  config.cache_classes = true
  config.secret_key_base = ENV.fetch("SECRET_KEY_BASE")
  config.logger = Logger.new($stderr)
  config.hosts.clear
  config.action_cable.cable = { "adapter" => "forebay", "url" => ENV.fetch("FOREBAY_URL") }
  config.forebay.pages = ->(_) { false } if ENV["FOREBAY_E2E_CURSORS"] == "none"

  routes.append do
    get "rooms/:id", to: "rooms#show"
    post "rooms/:id/messages", to: "rooms#create"
    post "test/rooms/:id/raw", to: "rooms#raw"
    post "test/gates/:name/close", to: "gates#close"
    post "test/gates/:name/open", to: "gates#open"
    get "test/gates/:name/reached", to: "gates#reached"
    mount Rack::Files.new(ENV.fetch("FOREBAY_E2E_ASSETS")), at: "assets"
  end
end

FixtureApp.initialize!

class GatesController < ActionController::Base

  def close
    GATES.close(params[:name])
    head :no_content
  end

  def open
    GATES.open(params[:name])
    head :no_content
  end

  def reached
    GATES.reached(params[:name])
    head :no_content
  end
end

class RoomsController < ActionController::Base
  helper Turbo::StreamsHelper
  helper { def gate(name) = GATES.pass(name) }
  after_action(only: :show) { GATES.pass("flush") }

  PAGE = <<~ERB
    <!DOCTYPE html>
    <html lang="en">
    <head>
      <meta charset="utf-8">
      <title>Room</title>
      <link rel="icon" href="data:,">
      <meta name="action-cable-url" content="/cable">
      <% if params[:refresh] == "morph" %><meta name="turbo-refresh-method" content="morph"><% end %>
      <script type="module" src="/assets/<%= params.fetch(:script, "stock") %>.js"></script>
    </head>
    <body>
      <% gate "before_tag" %>
      <%= turbo_stream_from STREAM %>
      <ul id="messages"><% @messages.each do |message| %><li id="message_<%= message.id %>"><%= message.body %></li><% end %></ul>
      <% gate "layout" %>
    </body>
    </html>
  ERB

  # Gates, in this order: `before_read`, `after_read`, `before_tag`, `layout`, `flush`.
  def show
    GATES.pass("before_read")
    @messages = MESSAGES.dup
    GATES.pass("after_read")
    render inline: PAGE
  end

  def create
    message = Message.new(MESSAGES.size + 1, params[:body])
    MESSAGES << message
    row = helpers.tag.li(message.body, id: "message_#{message.id}")
    broadcast helpers.content_tag("turbo-stream", helpers.tag.template(row), action: "append", target: "messages")
    head :no_content
  end

  def raw
    broadcast params[:html]
    render plain: "0"
  end

  private

  def broadcast(html)
    ActionCable.server.broadcast(STREAM, html)
  end
end

port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
configuration = Puma::Configuration.new do |puma|
  puma.app FixtureApp
  puma.bind "tcp://127.0.0.1:#{port}"
  # One is stopped at a gate, one waits until it is, and the others serve.
  puma.threads 5, 5
end
launcher = Puma::Launcher.new(configuration)
launcher.events.on_booted do
  $stdout.puts "ready http://127.0.0.1:#{port}"
  $stdout.flush
end
launcher.run
