# frozen_string_literal: true

# What Bundler requires for `gem "forebay-rails"`.
require "forebay/rails"
