# frozen_string_literal: true

class ApplicationController < ActionController::Base
  helper Turbo::StreamsHelper

  private

  def current_user
    User.new(cookies[:user]) if cookies[:user]
  end
end
