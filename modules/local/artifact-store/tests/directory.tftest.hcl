# Plans only: what the shell does to a directory is tested with real directories, from Python.

variables {
  stack = "ml-prod"
  name  = "prod_store"
  path  = "/srv/stores/it's \"here\" $HOME `id` ${"$"}{file(1)}"
}

run "creates_a_directory_and_its_mode" {
  command = plan

  assert {
    condition     = terraform_data.directory[0].input.path == var.path
    error_message = "The directory is the path, character by character."
  }

  assert {
    condition     = terraform_data.permissions[0].input.mode == "0700"
    error_message = "Nobody but the owner gets in."
  }

  assert {
    condition     = output.path == var.path
    error_message = "The output is the path as given."
  }
}

run "adopts_without_touching" {
  command = plan

  variables {
    existing = true
  }

  assert {
    condition     = length(terraform_data.directory) == 0 && length(terraform_data.permissions) == 0
    error_message = "An existing directory is neither created nor destroyed nor changed."
  }
}

run "refuses_a_relative_path" {
  command = plan

  variables {
    path = "stores/one"
  }

  expect_failures = [var.path]
}

run "refuses_climbing" {
  command = plan

  variables {
    path = "/srv/../etc"
  }

  expect_failures = [var.path]
}

run "refuses_a_line_break" {
  command = plan

  variables {
    path = "/srv/a\nb"
  }

  expect_failures = [var.path]
}

run "refuses_the_root" {
  command = plan

  variables {
    path = "/"
  }

  expect_failures = [var.path]
}

run "refuses_names_no_manifest_has" {
  command = plan

  variables {
    stack = "ML"
    name  = "9lives"
  }

  expect_failures = [var.stack, var.name]
}
