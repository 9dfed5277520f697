mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  stack              = "ml-prod"
  name               = "prod_connector"
  grants             = [{ bucket_arn = "arn:aws:s3:::acme-ml-prod" }]
  trusted_principals = ["arn:aws:iam::123456789012:role/ci"]
}

run "role_for_named_principals" {
  command = plan

  assert {
    condition     = output.role_name == "ml-prod-prod_connector-${substr(sha256("ml-prod/prod_connector"), 0, 10)}"
    error_message = "The role's name is a function of stack and connector."
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600
    error_message = "Sessions last an hour."
  }

  assert {
    condition = (
      toset(one(data.aws_iam_policy_document.trust.statement).actions) == toset(["sts:AssumeRole"]) &&
      toset(one(one(data.aws_iam_policy_document.trust.statement).principals).identifiers) == toset(var.trusted_principals) &&
      length(one(data.aws_iam_policy_document.trust.statement).condition) == 0
    )
    error_message = "Exactly the named principals may assume it."
  }

  assert {
    condition = aws_iam_role.this.tags == tomap({
      "provisioned-by" = "stack-provisioner", "stack" = "ml-prod", "connector" = "prod_connector",
    })
    error_message = "The role says who made it."
  }

  assert {
    condition = output.actions == tolist([
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetBucketLocation",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListBucketVersions",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ])
    error_message = "Read-write is these actions and no others."
  }
}

run "external_id_is_asked_for" {
  command = plan

  variables {
    external_id = "acme-ml"
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.trust.statement).condition).test == "StringEquals" &&
      one(one(data.aws_iam_policy_document.trust.statement).condition).variable == "sts:ExternalId" &&
      one(one(one(data.aws_iam_policy_document.trust.statement).condition).values) == "acme-ml"
    )
    error_message = "Whoever assumes the role says the external id."
  }
}

run "read_only" {
  command = plan

  variables {
    access = "read-only"
    grants = [{
      bucket_arn  = "arn:aws:s3:::acme-ml-prod"
      prefix      = "artifacts"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
    }]
  }

  assert {
    condition = output.actions == tolist([
      "kms:Decrypt",
      "kms:DescribeKey",
      "s3:GetBucketLocation",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:ListBucket",
      "s3:ListBucketVersions",
    ])
    error_message = "Read-only lists and gets."
  }
}

run "prefixes_and_keys_of_several_stores" {
  command = plan

  variables {
    grants = [
      { bucket_arn = "arn:aws:s3:::one", prefix = "a/b", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001" },
      { bucket_arn = "arn:aws:s3:::two" },
    ]
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.access.statement[0].condition).variable == "s3:prefix" &&
      one(one(data.aws_iam_policy_document.access.statement[0].condition).values) == "a/b/*" &&
      length(data.aws_iam_policy_document.access.statement[1].condition) == 0
    )
    error_message = "Only a store with a prefix is held to it when listing."
  }

  assert {
    condition = (
      toset(data.aws_iam_policy_document.access.statement[2].resources) == toset(["arn:aws:s3:::one", "arn:aws:s3:::two"]) &&
      toset(data.aws_iam_policy_document.access.statement[3].resources) == toset(["arn:aws:s3:::one/a/b/*", "arn:aws:s3:::two/*"]) &&
      toset(data.aws_iam_policy_document.access.statement[4].resources) == toset([var.grants[0].kms_key_arn])
    )
    error_message = "Objects are those under each prefix; keys are those given."
  }

  assert {
    condition     = contains(output.actions, "kms:GenerateDataKey")
    error_message = "Writing with a customer key needs data keys."
  }
}

run "long_sessions_no_tags" {
  command = plan

  variables {
    session_seconds = 43200
    iam_tags        = false
    tags            = { team = "ml" }
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 43200 && aws_iam_role.this.tags == null
    error_message = "The role allows sessions as long as asked for, and has no tags where there are none."
  }
}

run "short_sessions_keep_the_least_limit_of_iam" {
  command = plan

  variables {
    session_seconds = 900
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600
    error_message = "IAM takes no limit under an hour."
  }
}

run "refuses_everyone_as_principal" {
  command = plan

  variables {
    trusted_principals = ["*"]
  }

  expect_failures = [var.trusted_principals]
}

run "workloads_by_their_tokens" {
  command = plan

  variables {
    trusted_principals = [
      "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com#repo:acme/ml:environment:prod",
      "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main",
    ]
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.trust.statement).actions == toset(["sts:AssumeRoleWithWebIdentity"]) &&
      one(one(data.aws_iam_policy_document.trust.statement).principals).type == "Federated" &&
      one(one(data.aws_iam_policy_document.trust.statement).principals).identifiers == toset(["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"])
    )
    error_message = "Only by a token that the named provider vouches for."
  }

  assert {
    condition = {
      for condition in one(data.aws_iam_policy_document.trust.statement).condition : condition.variable => condition.values
      } == {
      "token.actions.githubusercontent.com:sub" = tolist(["repo:acme/ml:environment:prod", "repo:acme/ml:ref:refs/heads/main"])
      "token.actions.githubusercontent.com:aud" = tolist(["sts.amazonaws.com"])
    }
    error_message = "Exactly the named subjects, with a token that was made for AWS."
  }
}

run "principals_and_workloads" {
  command = plan

  variables {
    external_id        = "acme"
    trusted_principals = ["arn:aws:iam::123456789012:role/ci", "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/1#system:serviceaccount:ml:train"]
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.trust.statement : statement.sid] == ["NamedPrincipals", "Workloads0"]
    error_message = "A statement for each kind."
  }

  assert {
    condition     = data.aws_iam_policy_document.trust.statement[0].principals != data.aws_iam_policy_document.trust.statement[1].principals && one(data.aws_iam_policy_document.trust.statement[0].condition).variable == "sts:ExternalId"
    error_message = "An external id is for those who assume the role, not for workloads, who cannot say it."
  }
}

run "refuses_a_wildcard_in_a_subject" {
  command = plan

  variables {
    trusted_principals = ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com#repo:acme/*"]
  }

  expect_failures = [var.trusted_principals]
}

run "refuses_a_workload_without_a_subject" {
  command = plan

  variables {
    trusted_principals = ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"]
  }

  expect_failures = [var.trusted_principals]
}

run "refuses_a_wildcard_in_a_principal" {
  command = plan

  variables {
    trusted_principals = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.trusted_principals]
}

run "refuses_no_principal" {
  command = plan

  variables {
    trusted_principals = []
  }

  expect_failures = [var.trusted_principals]
}

run "refuses_no_grant" {
  command = plan

  variables {
    grants = []
  }

  expect_failures = [var.grants]
}

run "refuses_every_bucket" {
  command = plan

  variables {
    grants = [{ bucket_arn = "arn:aws:s3:::*" }]
  }

  expect_failures = [var.grants]
}

run "refuses_a_prefix_with_a_wildcard" {
  command = plan

  variables {
    grants = [{ bucket_arn = "arn:aws:s3:::acme-ml-prod", prefix = "a?" }]
  }

  expect_failures = [var.grants]
}

run "refuses_every_key" {
  command = plan

  variables {
    grants = [{ bucket_arn = "arn:aws:s3:::acme-ml-prod", kms_key_arn = "*" }]
  }

  expect_failures = [var.grants]
}

run "refuses_the_rest" {
  command = plan

  variables {
    stack           = "ML"
    name            = "Connector"
    access          = "admin"
    external_id     = "x"
    session_seconds = 60
    tags            = { "a" = "<script>" }
  }

  expect_failures = [var.stack, var.name, var.access, var.external_id, var.session_seconds, var.tags]
}
