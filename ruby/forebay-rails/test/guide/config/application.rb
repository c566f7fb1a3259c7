# frozen_string_literal: true

require "logger"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"
Bundler.require(*Rails.groups)

# What the tests need of turbo-rails, which is no package of Debian's.
module Turbo
  module StreamsChannel
    def self.signed_stream_name(streamables)
      key = Rails.application.key_generator.generate_key("turbo/signed_stream_verifier_key")
      ActiveSupport::MessageVerifier.new(key, digest: "SHA256", serializer: JSON).generate(streamables.join(":"))
    end
  end

  module StreamsHelper
    def turbo_stream_from(*streamables, **attributes)
      attributes[:channel] = "Turbo::StreamsChannel"
      attributes[:"signed-stream-name"] = Turbo::StreamsChannel.signed_stream_name(streamables)
      tag.turbo_cable_stream_source(**attributes)
    end
  end
end

class App < Rails::Application
  config.eager_load = false
  config.secret_key_base = ENV.fetch("TEST_SECRET")
  config.logger = Logger.new($stderr)
  config.hosts.clear
  # The guide's lines.
  routes.append do
    root to: "pages#show"
    # The guide's route.
  end
end

User = Struct.new(:id) do
  def to_gid_param
    "gid-of-user-#{id}"
  end
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :current_user
  end
end
