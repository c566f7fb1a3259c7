# frozen_string_literal: true

# A Rails app with its own Action Cable, for `forebay doctor`: pages whose tag or meta tag is wrong, and one that is
# right. Its folder is DOCTOR_ROOT, with a config/cable.yml. Prints `ready URL` when it serves.

require "logger"
require "socket"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"
require "puma"
require "puma/launcher"

class DoctorsApp < Rails::Application
  config.root = ENV.fetch("DOCTOR_ROOT")
  config.eager_load = false
  config.cache_classes = true
  config.secret_key_base = ENV.fetch("SECRET_KEY_BASE")
  config.logger = Logger.new($stderr)
  config.hosts.clear
  config.action_cable.mount_path = "/cable"

  routes.append { get "rooms/:tag/:cable", to: "rooms#show" }
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
  end
end

module Turbo
  # As turbo-rails has it, which is no package of Debian's.
  class StreamsChannel < ActionCable::Channel::Base
    def self.verifier(name = "turbo/signed_stream_verifier_key")
      key = Rails.application.key_generator.generate_key(name)
      ActiveSupport::MessageVerifier.new(key, digest: "SHA256", serializer: JSON)
    end

    def subscribed
      name = self.class.verifier.verified(params[:signed_stream_name])
      name ? stream_from(name) : reject
    end
  end
end

class RoomsController < ActionController::Base
  def show
    signer = Turbo::StreamsChannel.verifier(*("other" if params[:tag] == "other"))
    cable = params[:cable] == "right" ? "/cable" : "/live"
    render html: helpers.safe_join([
      helpers.tag.meta(name: "action-cable-url", content: cable),
      helpers.tag.turbo_cable_stream_source(channel: "Turbo::StreamsChannel", "signed-stream-name": signer.generate("room"))
    ])
  end
end

DoctorsApp.initialize!

port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
configuration = Puma::Configuration.new do |puma|
  puma.app DoctorsApp
  puma.bind "tcp://127.0.0.1:#{port}"
  puma.threads 3, 3
end
launcher = Puma::Launcher.new(configuration)
launcher.events.on_booted do
  $stdout.puts "ready http://127.0.0.1:#{port}"
  $stdout.flush
end
launcher.run
