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

run "baseline_makes_none_of_it" {
  command = plan

  assert {
    condition = (
      length(aws_s3_bucket.logs) + length(aws_kms_key.this) + length(aws_iam_role.replication) == 0 &&
      length(aws_s3_bucket_logging.this) + length(aws_s3_bucket_notification.this) == 0 &&
      length(aws_s3_bucket_replication_configuration.this) == 0 && output.logs_bucket == null
    )
    error_message = "Without strict there is the bucket and its settings alone."
  }
}

run "strict_logs_tells_copies_and_has_a_key" {
  command = plan

  variables {
    strict              = true
    replica_bucket_arn  = "arn:aws:s3:::a-replica"
    replica_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002"
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation && aws_kms_key.this[0].deletion_window_in_days == 30
    error_message = "The key rotates, and its deletion can be taken back for 30 days."
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).bucket_key_enabled
    )
    error_message = "The store is encrypted with that key."
  }

  assert {
    condition = (
      aws_s3_bucket_logging.this[0].target_bucket == output.logs_bucket &&
      output.logs_bucket == "${substr(output.bucket, 0, 46)}-logs-${substr(sha256(output.bucket), 0, 10)}" &&
      length(output.logs_bucket) <= 63
    )
    error_message = "Accesses are logged into a bucket of their own."
  }

  assert {
    condition     = aws_s3_bucket_notification.this[0].eventbridge && aws_s3_bucket_notification.logs[0].eventbridge
    error_message = "Events go to EventBridge."
  }

  assert {
    condition = (
      one(aws_s3_bucket_replication_configuration.this[0].rule).status == "Enabled" &&
      one(one(aws_s3_bucket_replication_configuration.this[0].rule).destination).bucket == "arn:aws:s3:::a-replica"
    )
    error_message = "Every object is copied."
  }

  assert {
    condition = (
      aws_s3_bucket.logs[0].force_destroy == false &&
      aws_s3_bucket_public_access_block.logs[0].block_public_acls &&
      aws_s3_bucket_public_access_block.logs[0].restrict_public_buckets &&
      one(aws_s3_bucket_versioning.logs[0].versioning_configuration).status == "Enabled"
    )
    error_message = "The logs are kept like the store itself."
  }
}

run "a_key_that_is_named_is_used" {
  command = plan

  variables {
    strict              = true
    kms_key             = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
    replica_bucket_arn  = "arn:aws:s3:::a-replica"
    replica_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002"
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && output.kms_key_arn == var.kms_key
    error_message = "No second key is made."
  }
}

run "long_names_and_dots_stay_names" {
  command = plan

  variables {
    bucket              = "a-very-long-name.with-dots.that-is-as-long-as-s3-allows-00000.1"
    strict              = true
    replica_bucket_arn  = "arn:aws:s3:::a-replica"
    replica_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002"
  }

  assert {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", output.logs_bucket)) && length(aws_iam_role.replication[0].name) <= 64
    error_message = "S3 and IAM take the names that are made."
  }
}

run "strict_needs_versions_and_the_account" {
  command = plan

  variables {
    strict              = true
    replica_bucket_arn  = "arn:aws:s3:::a-replica"
    replica_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002"
    account_id          = ""
    versioning          = false
  }

  expect_failures = [aws_s3_bucket.logs]
}
