# frozen_string_literal: true

require "logger"
require "stringio"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"

require_relative "turbo"
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
    get "/here", to: "pages#here"
    post "/hook", to: "pages#hook"
  end
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :current_user
  end
end

App.initialize!

# A record, as far as views know one; Active Model is no dependency.
User = Struct.new(:id, :name) do
  def model_name = Struct.new(:plural, :param_key).new("users", "user")

  def to_model = self

  def to_key = [id]

  # Instead of a partial, which would be a file.
  def render_in(view) = view.content_tag(:li, name, id: view.dom_id(self))
end

class PagesController < ActionController::Base
  helper Turbo::StreamsHelper

  cattr_accessor :while_it_renders

  # What is broadcast in here was committed after the request began.
  def show
    while_it_renders&.call
    render inline: "<%= turbo_stream_from 'messages', data: { view: 'all' } %>"
  end

  cattr_accessor :here_template, :user, :hook_code, :events

  # As the guide has it.
  def here
    @user = user
    render inline: here_template
  end

  # As the guide has it, too, from Rails 7.1 on. Before, Rails reads another envelope: then its signature is checked here.
  def hook
    events << (Rails.gem_version >= Gem::Version.new("7.1") ? eval(hook_code) : read_hook(request.raw_post))
    head :no_content
  end

  def read_hook(body)
    payload, mac = body.split("--")
    key = Rails.application.key_generator.generate_key("turbo/signed_stream_verifier_key")
    raise "forged" unless mac == OpenSSL::HMAC.hexdigest("SHA256", key, payload)

    envelope = JSON.parse(payload.unpack1("m")).fetch("_rails")
    raise "another purpose" unless envelope["pur"] == "webhook:presence" && envelope["exp"] > Time.now.utc.iso8601

    JSON.parse(envelope.fetch("data"))
  end

  def mine
    render inline: "<%= turbo_stream_from 'messages', id: 'mine' %>"
  end
end
