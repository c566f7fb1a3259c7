# frozen_string_literal: true

require_relative "lib/forebay/rails/version"

Gem::Specification.new do |spec|
  spec.name = "forebay-rails"
  spec.version = Forebay::Rails::VERSION
  spec.authors = ["The Forebay authors"]
  spec.summary = "Turbo pages that miss nothing: a Rails app in front of `forebay serve`"
  spec.description = "An Action Cable adapter that posts broadcasts to `forebay serve`, and turbo_stream_from " \
    "with a cursor, so that a page gets what was broadcast since its request began."
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.0"

  spec.files = Dir.chdir(__dir__) { Dir["lib/**/*.rb", "README.md", "LICENSE-*"] }
  spec.require_paths = ["lib"]

  spec.add_dependency "actioncable", ">= 6.1", "< 9"
  spec.add_dependency "connection_pool", ">= 2.2.5", "< 4"
  spec.add_dependency "railties", ">= 6.1", "< 9"
end
