# frozen_string_literal: true

# Action Cable by itself: what a Rails application with turbo-rails has between a broadcast and a page.

require "action_cable"
require "active_support/all"
require "logger"

VERIFIER = ActiveSupport::MessageVerifier.new(ENV.fetch("SECRET"), digest: "SHA256", serializer: JSON)

ActionCable.server.config.tap do |config|
  config.cable = { "adapter" => "async" }
  config.logger = Logger.new(nil)
  config.connection_class = -> { ActionCable::Connection::Base }
end

module Turbo
  class StreamsChannel < ActionCable::Channel::Base
    def subscribed
      if (name = VERIFIER.verified(params[:signed_stream_name]))
        stream_from name
      else
        reject
      end
    end
  end
end

# AnyCable's way to publish, since Action Cable has none of its own over HTTP.
broadcast = lambda do |env|
  Array.wrap(JSON.parse(env["rack.input"].read)).each do |message|
    ActionCable.server.broadcast(message["stream"], message["data"])
  end
  [201, { "Content-Length" => "0" }, []]
end

map("/cable") { run ActionCable.server }
map("/_broadcast") { run broadcast }
