mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001" }
  }
}

variables {
  stack      = "ml-prod"
  name       = "prod_store"
  account_id = "123456789012"
}

run "closed_encrypted_and_versioned_by_default" {
  command = plan

  assert {
    condition     = output.bucket == "ml-prod-prod-store-${substr(sha256("123456789012/ml-prod/prod_store"), 0, 10)}"
    error_message = "The generated name is a function of stack, store and account."
  }

  assert {
    condition     = output.path == "s3://${output.bucket}" && output.bucket_arn == "arn:aws:s3:::${output.bucket}"
    error_message = "Path and ARN follow from the name, and stand in the plan."
  }

  assert {
    condition     = aws_s3_bucket.this[0].force_destroy == false
    error_message = "A bucket with objects in it is never destroyed by Terraform."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this[0].block_public_acls,
      aws_s3_bucket_public_access_block.this[0].block_public_policy,
      aws_s3_bucket_public_access_block.this[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.this[0].restrict_public_buckets,
    ])
    error_message = "All four public access block flags are set."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this[0].rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Access control lists are off."
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.bucket[0].statement).effect == "Deny" &&
      one(one(data.aws_iam_policy_document.bucket[0].statement).condition).variable == "aws:SecureTransport" &&
      toset(one(data.aws_iam_policy_document.bucket[0].statement).resources) == toset([output.bucket_arn, "${output.bucket_arn}/*"])
    )
    error_message = "Plain HTTP is denied on the bucket and everything in it."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects are encrypted with S3's keys."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this[0].versioning_configuration).status == "Enabled"
    error_message = "Old versions are kept."
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].noncurrent_version_expiration).noncurrent_days == 90 &&
      one(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].abort_incomplete_multipart_upload).days_after_initiation == 7 &&
      length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].transition) == 0
    )
    error_message = "Old versions go after 90 days, unfinished uploads after 7, nothing is archived."
  }

  assert {
    condition = aws_s3_bucket.this[0].tags == tomap({
      "provisioned-by" = "stack-provisioner", "stack" = "ml-prod", "artifact-store" = "prod_store",
    })
    error_message = "The bucket says who made it."
  }

  assert {
    condition     = output.kms_key_arn == null && length(data.aws_kms_key.given) == 0
    error_message = "No customer key, no look-up."
  }
}

run "given_names_are_kept" {
  command = plan

  variables {
    bucket = "acme.ml-prod"
    prefix = "team=a/artifacts"
    tags   = { team = "ml", stack = "someone-else" }
  }

  assert {
    condition     = output.path == "s3://acme.ml-prod/team=a/artifacts" && output.prefix == "team=a/artifacts"
    error_message = "Bucket and prefix are as given."
  }

  assert {
    condition     = aws_s3_bucket.this[0].tags["team"] == "ml" && aws_s3_bucket.this[0].tags["stack"] == "ml-prod"
    error_message = "Tags are as given; ours win."
  }
}

run "long_names_are_cut_and_stay_apart" {
  command = plan

  variables {
    stack = "a23456789-123456789-1234567890"
    name  = "b23456789_123456789_123456789_123456789"
  }

  assert {
    condition     = length(output.bucket) == 63 && !can(regex("_", output.bucket))
    error_message = "S3 allows 63 characters, and no underscore."
  }
}

run "customer_key_by_alias" {
  command = plan

  variables {
    kms_key = "alias/ml"
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).bucket_key_enabled &&
      output.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
    )
    error_message = "A customer key comes with a bucket key; an alias is resolved to the key's ARN."
  }
}

run "customer_key_by_arn" {
  command = plan

  variables {
    kms_key = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = output.kms_key_arn == var.kms_key && length(data.aws_kms_key.given) == 0
    error_message = "A key's ARN needs no look-up."
  }
}

run "every_setting_can_be_left_out" {
  command = plan

  variables {
    versioning           = false
    encryption           = false
    ownership_controls   = false
    public_access_block  = false
    tls_only             = false
    noncurrent_days      = null
    abort_multipart_days = null
  }

  assert {
    condition = length(concat(
      aws_s3_bucket_versioning.this,
      aws_s3_bucket_server_side_encryption_configuration.this,
      aws_s3_bucket_ownership_controls.this,
      aws_s3_bucket_public_access_block.this,
      aws_s3_bucket_policy.this,
      aws_s3_bucket_lifecycle_configuration.this,
    )) == 0
    error_message = "What a service cannot do is left out as a whole."
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 1
    error_message = "The bucket itself is always there."
  }
}

run "archive_alone" {
  command = plan

  variables {
    noncurrent_days      = null
    abort_multipart_days = null
    archive_after_days   = 365
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].transition).days == 365 &&
      one(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].transition).storage_class == "GLACIER_IR" &&
      length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].noncurrent_version_expiration) == 0 &&
      length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].abort_incomplete_multipart_upload) == 0 &&
      length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].expiration) == 0
    )
    error_message = "Each rule stands for itself."
  }
}

run "existing_bucket_is_only_read" {
  command = plan

  variables {
    existing = true
    bucket   = "acme-ml-prod"
    prefix   = "artifacts"
  }

  override_data {
    target = data.aws_s3_bucket.existing[0]
    values = { bucket = "acme-ml-prod" }
  }

  assert {
    condition = length(concat(
      aws_s3_bucket.this,
      aws_s3_bucket_versioning.this,
      aws_s3_bucket_server_side_encryption_configuration.this,
      aws_s3_bucket_ownership_controls.this,
      aws_s3_bucket_public_access_block.this,
      aws_s3_bucket_policy.this,
      aws_s3_bucket_lifecycle_configuration.this,
    )) == 0
    error_message = "Adopting creates, changes and destroys nothing."
  }

  assert {
    condition     = output.path == "s3://acme-ml-prod/artifacts" && output.bucket_arn == "arn:aws:s3:::acme-ml-prod"
    error_message = "The outputs are those of the bucket that is there."
  }
}

run "existing_needs_a_name" {
  command = plan

  variables {
    existing = true
  }

  expect_failures = [data.aws_s3_bucket.existing]
}

run "key_without_encryption" {
  command = plan

  variables {
    kms_key    = "alias/ml"
    encryption = false
  }

  expect_failures = [aws_s3_bucket.this]
}

run "refuses_what_no_cloud_would_take" {
  command = plan

  variables {
    stack                = "ML"
    name                 = "Store"
    bucket               = "Upper"
    kms_key              = "*"
    noncurrent_days      = 0
    abort_multipart_days = 1.5
    archive_after_days   = -1
    tags                 = { "aws:team" = "ml" }
  }

  expect_failures = [
    var.stack, var.name, var.bucket, var.kms_key, var.noncurrent_days, var.abort_multipart_days, var.archive_after_days, var.tags,
  ]
}

# Each of these would widen what the connector grants.
run "refuses_a_prefix_with_a_wildcard" {
  command = plan

  variables {
    prefix = "team-*"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_prefix_with_a_policy_variable" {
  command = plan

  variables {
    prefix = "$${aws:username}"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_prefix_that_climbs" {
  command = plan

  variables {
    prefix = "a/../b"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_prefix_with_a_slash_at_its_end" {
  command = plan

  variables {
    prefix = "a/"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_prefix_with_a_space" {
  command = plan

  variables {
    prefix = "team a"
  }

  expect_failures = [var.prefix]
}
