# A Rails app in one file, with the code blocks of docs/serve.md in the folder that is its root.
# Prints the tag of the stream `messages`; then broadcasts.

require "logger"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"

ROOT = ARGV.fetch(0)
$LOAD_PATH.unshift(File.join(ROOT, "lib"))

class App < Rails::Application
  config.root = ROOT
  config.eager_load = false
  config.secret_key_base = ENV.fetch("TEST_SECRET")
  config.logger = Logger.new($stderr)
  config.hosts.clear
  routes.append { get "/", to: "pages#show" }
end
App.initialize!

# turbo-rails is no package of Debian's: what its page helper does, and nothing else of it.
module Turbo
  # As turbo-rails makes and uses its verifier.
  module StreamsChannel
    KEY = Rails.application.key_generator.generate_key("turbo/signed_stream_verifier_key")
    VERIFIER = ActiveSupport::MessageVerifier.new(KEY, digest: "SHA256", serializer: JSON)

    def self.signed_stream_name(streamables)
      VERIFIER.generate(streamables.join(":"))
    end
  end

  module StreamsHelper
    def turbo_stream_from(*streamables, **attributes)
      attributes[:channel] = "Turbo::StreamsChannel"
      attributes[:"signed-stream-name"] = Turbo::StreamsChannel.signed_stream_name(streamables)
      content_tag(:"turbo-cable-stream-source", nil, **attributes)
    end
  end
end

load File.join(ROOT, "live_page.rb")

class PagesController < ActionController::Base
  helper Turbo::StreamsHelper
  include LivePage

  def show
    # What is broadcast after the cursor was taken belongs to the page's replay.
    ActionCable.server.broadcast "messages", "<turbo-stream>1</turbo-stream>"
    render inline: "<%= live_stream_from 'messages', data: { view: 'all' } %>"
  end
end

_, _, body = Rails.application.call(Rack::MockRequest.env_for("/"))
puts body.each.to_a.join

ActionCable.server.broadcast "messages", { text: "<é>", number: 2**53 + 1 }
$stdout.flush
$stdin.gets
ActionCable.server.broadcast "messages", "after the restart"
