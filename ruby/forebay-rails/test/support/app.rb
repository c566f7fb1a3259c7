# frozen_string_literal: true

require "logger"
require "stringio"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"

# turbo-rails is no package of Debian's, so this signs and renders as its documentation says, unless
# TURBO_RAILS is the path of the real one.
if ENV["TURBO_RAILS"]
  $LOAD_PATH.unshift(File.join(ENV["TURBO_RAILS"], "lib"))
  require "turbo-rails"
else
  module Turbo
    module StreamsChannel
      def self.verifier
        key = Rails.application.key_generator.generate_key("turbo/signed_stream_verifier_key")
        @verifier ||= ActiveSupport::MessageVerifier.new(key, digest: "SHA256", serializer: JSON)
      end

      def self.signed_stream_name(streamables)
        verifier.generate(streamables.join(":"))
      end
    end

    module StreamsHelper
      def turbo_stream_from(*streamables, **attributes)
        attributes[:channel] = attributes[:channel]&.to_s || "Turbo::StreamsChannel"
        attributes[:"signed-stream-name"] = Turbo::StreamsChannel.signed_stream_name(streamables)
        tag.turbo_cable_stream_source(**attributes)
      end
    end
  end
end

require "forebay-rails"

module Support
  LOG = StringIO.new
  ROOT = Dir.mktmpdir("forebay-rails")
  at_exit { FileUtils.remove_entry(ROOT) }
end

# What stands between the cable and the rows: each page is asked for by a test.
class App < Rails::Application
  config.root = Support::ROOT
  config.eager_load = false
  config.secret_key_base = Support::SECRET_KEY_BASE
  config.logger = ActiveSupport::TaggedLogging.new(Logger.new(Support::LOG))
  config.hosts.clear
  config.action_cable.cable = { "adapter" => "test" }
  config.forebay.pages = ->(env) { env["PATH_INFO"] != "/quiet" && Forebay::Rails::CursorMiddleware::PAGES.call(env) }

  routes.append do
    get "/", to: "pages#show"
    get "/quiet", to: "pages#show"
    get "/mine", to: "pages#mine"
  end
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :current_user
  end
end

App.initialize!

class PagesController < ActionController::Base
  helper Turbo::StreamsHelper

  cattr_accessor :while_it_renders

  # What is broadcast in here was committed after the request began.
  def show
    while_it_renders&.call
    render inline: "<%= turbo_stream_from 'messages', data: { view: 'all' } %>"
  end

  def mine
    render inline: "<%= turbo_stream_from 'messages', id: 'mine' %>"
  end
end
