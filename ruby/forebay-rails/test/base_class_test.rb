# frozen_string_literal: true

require_relative "support"

# Rails' base class has kept other things in other instance variables from version to version. The
# adapter relies on what is public in all of them: it is made with the server, and has a logger.
class BaseClassTest < Support::Test
  # Rails 6.1 to 8.1 keep the server and its logger; 8.2 keeps its executor and its configuration.
  SHAPES = {
    "6.1 to 8.1" => <<~RUBY,
      attr_reader :logger, :server
      def initialize(server)
        @server = server
        @logger = server.logger
      end
    RUBY
    "8.2" => <<~RUBY,
      def logger = config.logger
      def initialize(server)
        @executor = server.executor
        @config = server.config
      end
      private attr_reader :executor, :config
    RUBY
    "none of them" => "def initialize(server) = freeze_nothing(server)\ndef freeze_nothing(_) = nil\n"
  }.freeze

  Configuration = Struct.new(:cable, :logger)
  ServerOfRails = Struct.new(:config, :logger, :executor)

  SHAPES.each do |versions, shape|
    define_method("test_it_works_on_the_base_class_of_rails_#{versions.tr(" .", "_")}") do
      server = serve
      page = page(server, signed("messages"))
      adapter = adapter_on(shape).new(rails(server))
      adapter.broadcast("messages", '"hello"')
      assert_equal ["hello"], page.messages(1)
      refute_nil adapter.page_cursor
      adapter.shutdown
    end
  end

  private

  def rails(server)
    ServerOfRails.new(Configuration.new({ "adapter" => "forebay", "url" => server.url }, Logger.new(nil)), Logger.new(nil), :none)
  end

  # The adapter's own file, with this for its base class.
  def adapter_on(shape)
    file = File.expand_path("../lib/action_cable/subscription_adapter/forebay.rb", __dir__)
    source = File.read(file).gsub(/^require .*\n/, "")
    # A file of Rails' own, so that the real thing is tested where it is there.
    shape = File.read(ENV["RAILS_BASE"]).gsub(/^require .*\n/, "") if ENV["RAILS_BASE"]
    base = shape.include?("class Base") ? shape : "module ActionCable; module SubscriptionAdapter; class Base\n#{shape}end; end; end"
    space = Module.new
    space.module_eval(base)
    space.module_eval(source, file)
    space::ActionCable::SubscriptionAdapter::Forebay
  end
end
